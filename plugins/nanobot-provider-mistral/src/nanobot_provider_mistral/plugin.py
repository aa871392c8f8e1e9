"""Offers Mistral AI: a record for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("MISTRAL_API_KEY",)


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="mistral",
            title="Mistral AI",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="mistral-medium-latest",
            keywords=(
                "mistral",
                "mistralai",
                "magistral",
                "ministral",
                "codestral",
                "devstral",
                "pixtral",
            ),
            options={
                "base_url": "https://api.mistral.ai/v1",
                "env_keys": KEYS,
                # Fields that it does not know are refused, usage comes without being asked for.
                "stream_usage": False,
                "replay_reasoning": "drop",
                "tool_id_style": "nine",
                "effort_map": {
                    **dict.fromkeys(("none", "minimal", "low"), "none"),
                    **dict.fromkeys(("medium", "high", "xhigh", "max"), "high"),
                },
                "models": {
                    family: {"reasoning_effort": None}
                    for family in ("magistral", "ministral", "codestral", "devstral", "pixtral")
                },
            },
        )
    ]
