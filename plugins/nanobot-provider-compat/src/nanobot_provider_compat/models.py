"""Models that want to be asked in a way of their own, whoever serves them.

Sources: the model pages of OpenAI (reasoning models take ``max_completion_tokens`` and no
temperature), Moonshot (Kimi; "thinking is enabled but reasoning_content is missing in assistant
tool call message"), DeepSeek, Mistral ("Unexpected role 'user' after role 'tool'"), Xiaomi (MiMo),
Z.ai (GLM) and Alibaba Cloud (Qwen).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from nanobot_provider_compat.vendor import Thinking


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRule:
    """How some models differ.

    Args:
        patterns: Whole tokens of the model id; see `matches`.
        thinking: Switch thinking in this style too.
        always_thinks: True when thinking can not be switched off.
        efforts: The only values of ``reasoning_effort`` that may be sent, None for any.
        temperature: False when no temperature may be sent.
        completion_tokens: True when the limit is ``max_completion_tokens``.
        reasoning_required: True when every answer in the history must carry its reasoning, an
            empty one if there was none.
        answer_after_tools: True when a message of the user may not follow the results of tools.
        plain_schemas: True when the schemas of tools must be in narrow words.
    """

    patterns: tuple[str, ...]
    thinking: Thinking = ""
    always_thinks: bool = False
    efforts: frozenset[str] | None = None
    temperature: bool = True
    completion_tokens: bool = False
    reasoning_required: bool = False
    answer_after_tools: bool = False
    plain_schemas: bool = False


RULES = (
    ModelRule(patterns=("gpt-5", "/o1", "/o3", "/o4"), temperature=False, completion_tokens=True),
    ModelRule(
        patterns=("kimi-k3",),
        efforts=frozenset({"max"}),
        temperature=False,
        completion_tokens=True,
    ),
    ModelRule(
        patterns=("kimi-k2.5", "kimi-k2.6", "kimi-k2.7", "k2.6-code-preview"),
        thinking="thinking_type",
    ),
    ModelRule(patterns=("kimi-k2", "k2.6-code-preview"), efforts=frozenset()),
    ModelRule(patterns=("kimi-k2.7-code",), always_thinks=True),
    ModelRule(
        patterns=("mimo-v2.5", "mimo-v2-pro", "mimo-v2-omni"),
        thinking="thinking_type",
        reasoning_required=True,
    ),
    ModelRule(
        patterns=(
            *("kimi-k2.5", "kimi-k2.6", "kimi-k2.7", "kimi-k2-thinking", "kimi-k3"),
            *("deepseek-reasoner", "deepseek-v4"),
        ),
        reasoning_required=True,
    ),
    ModelRule(patterns=("gemini",), plain_schemas=True),
    ModelRule(patterns=("glm-5.3",), always_thinks=True),
    ModelRule(
        patterns=("mistral", "mistralai", "magistral", "ministral", "codestral", "devstral"),
        answer_after_tools=True,
    ),
    ModelRule(
        patterns=("qwen3.7-max", "qwen3.7-plus", "qwen3.6", "qwen3.5-plus", "qwen3.5-flash"),
        thinking="enable_thinking",
    ),
)


@lru_cache(maxsize=256)
def matches(pattern: str, model: str) -> bool:
    """Tell whether a model id contains the pattern as whole tokens.

    A token ends where a letter or digit is followed by something else, so ``gpt-5`` is found in
    ``openai/gpt-5.1-mini`` and not in ``gpt-50``.
    """
    start = "" if pattern.startswith("/") else r"(?<![a-z0-9])"
    return bool(re.search(f"{start}{re.escape(pattern)}(?![a-z0-9])", f"/{model.lower()}"))


@lru_cache(maxsize=64)
def rules_for(model: str) -> tuple[ModelRule, ...]:
    """Return the rules that hold for a model."""
    return tuple(rule for rule in RULES if any(matches(p, model) for p in rule.patterns))
