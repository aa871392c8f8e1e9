"""Offers MiniMax: a record for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("MINIMAX_API_KEY",)
ERRORS = {
    "1000": "overload",
    "1001": "timeout",
    "1002": "rate_limit",
    "1004": "auth",
    "1008": "quota",
    "1024": "overload",
    "1026": "filtered",
    "1027": "filtered",
    "1033": "overload",
    "1039": "rate_limit",
    "1041": "rate_limit",
    "2013": "bad_request",
    "2049": "auth",
    "2056": "quota",
}


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="minimax",
            title="MiniMax",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="MiniMax-M3",
            keywords=("minimax",),
            options={
                "base_url": "https://api.minimax.io/v1",
                "env_keys": KEYS,
                "token_field": "max_completion_tokens",
                # Thinking is always told apart, as its blocks must go back in one piece.
                "body": {"reasoning_split": True},
                "thinking": "thinking_adaptive",
                "effort_map": dict.fromkeys(
                    ("minimal", "low", "medium", "high", "xhigh", "max"), ""
                ),
                "string_content_only": True,
                "picture_models": ("minimax-m3",),
                "error_codes": ERRORS,
            },
        )
    ]
