"""Offers Zhipu AI: a record for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("ZAI_API_KEY", "ZHIPUAI_API_KEY")
ERRORS = {
    **dict.fromkeys(("1000", "1001", "1002", "1003", "1004", "1005"), "auth"),
    **dict.fromkeys(("1110", "1111", "1112", "1121", "1220", "1311"), "auth"),
    **dict.fromkeys(("1113", "1304", "1308", "1309", "1310"), "quota"),
    **dict.fromkeys(("1302", "1303", "1313"), "rate_limit"),
    **dict.fromkeys(("1120", "1200", "1230", "1234", "1305", "1312"), "overload"),
    "1261": "context",
    "1300": "filtered",
    "1301": "filtered",
}


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="zhipu",
            title="Zhipu AI",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="glm-5.3",
            keywords=("zhipu", "glm", "chatglm", "zai"),
            options={
                "base_url": "https://open.bigmodel.cn/api/paas/v4",
                "env_keys": KEYS,
                "thinking": "thinking_type",
                "model_efforts": {"glm-5.3": {"minimal": "low", "medium": "high", "xhigh": "max"}},
                "tools_body": {"tool_stream": True},
                "error_codes": ERRORS,
            },
        )
    ]
