"""Offers Hugging Face: a record for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("HF_TOKEN",)
KEY_PREFIX = "hf_"


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="huggingface",
            title="Hugging Face",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="openai/gpt-oss-120b",
            keywords=("huggingface", "hugging-face"),
            gateway=True,
            key_prefixes=(KEY_PREFIX,),
            base_hosts=("huggingface.co",),
            options={
                "base_url": "https://router.huggingface.co/v1",
                "env_keys": KEYS,
                "key_prefix": KEY_PREFIX,
                # Some of the providers behind it refuse the field, Groq among them.
                "replay_reasoning": "needed",
            },
        )
    ]
