"""Sections that users of nanobot have, and the plugins that read them."""

from __future__ import annotations

KINDS = ("providers", "channels", "tools")
"""Kinds whose sections are known before any plugin is."""

ELSEWHERE = {
    "agents.defaults.dream": ("services", "dream"),
    "gateway.heartbeat": ("services", "heartbeat"),
    "tools.maxSessionMessagesPerMinute": ("tools", "sessions"),
    "tools.mcpServers": ("tools", "mcp"),
    "tools.webuiAllowLocalServiceAccess": ("services", "webui"),
    "tools.webuiAllowRemotePackageInstall": ("services", "webui"),
    "tools.imageGeneration": ("tools", "images"),
    "transcription": ("enrichers", "speech"),
}
"""Settings of plugins that do not stand at ``<kind>.<name>``, and whose they are."""

_PROVIDERS = """
aihubmix ant_ling anthropic atomic_chat azure_openai bedrock byteplus byteplus_coding_plan custom
dashscope deepseek edenai gemini github_copilot groq huggingface kimi_coding lm_studio longcat
minimax minimax_anthropic mistral modelscope moonshot novita nvidia offline ollama openai
openai_codex opencode opencode_go opencode_zen openrouter orcarouter ovms qianfan siliconflow
skywork stepfun vllm volcengine volcengine_coding_plan xai_grok xiaomi_mimo zhipu
"""
_CHANNELS = """
dingtalk discord email feishu matrix mattermost mochat msteams napcat qq signal slack telegram
websocket wecom weixin whatsapp
"""
_TOOLS = "ask cli_apps exec files images mcp message my sessions spawn web workspace"

NAMES = {
    "providers": _PROVIDERS.split(),
    "channels": _CHANNELS.split(),
    "tools": _TOOLS.split(),
    "commands": ["undo"],
    "sandboxes": ["bwrap", "landlock"],
    "services": ["http"],
    "stores": ["sqlite"],
}
"""Plugins by kind, so that a misspelt name is recognised before anything is installed."""
