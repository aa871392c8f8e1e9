"""Offers BytePlus ModelArk: records for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("BYTEPLUS_API_KEY",)
HOST = "https://ark.ap-southeast.bytepluses.com"
CHECKED = ("InputText", "InputImage", "OutputText")
SHARED: dict[str, object] = {
    "env_keys": KEYS,
    "thinking": "thinking_type",
    "effort_map": {"xhigh": "high", "max": "high"},
    "error_codes": {
        **dict.fromkeys(("AccountOverdueError", "AccountQuotaExceeded", "QuotaExceeded"), "quota"),
        "ServerOverloaded": "overload",
        "SensitiveContentDetected": "filtered",
        **{f"{what}SensitiveContentDetected": "filtered" for what in CHECKED},
        **{f"{what}RiskDetection": "filtered" for what in CHECKED},
    },
}


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the pay-as-you-go service and the coding plan."""
    return [
        ProviderSpec(
            name="byteplus",
            title="BytePlus ModelArk",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="seed-2-0-pro-260328",
            keywords=("byteplus", "bytepluses"),
            base_hosts=("bytepluses.com",),
            options={"base_url": f"{HOST}/api/v3", "strip_prefixes": ("byteplus",), **SHARED},
        ),
        ProviderSpec(
            name="byteplus_coding_plan",
            title="BytePlus ModelArk coding plan",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="ark-code-latest",
            keywords=("byteplus-plan",),
            base_hosts=("ark.ap-southeast.bytepluses.com/api/coding",),
            options={
                "base_url": f"{HOST}/api/coding/v3",
                "strip_prefixes": ("byteplus-plan", "byteplus_coding_plan"),
                **SHARED,
            },
        ),
    ]
