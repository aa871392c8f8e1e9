"""Offers Volcengine Ark: records for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("ARK_API_KEY", "VOLCENGINE_API_KEY")
HOST = "https://ark.cn-beijing.volces.com"
CHECKED = ("InputText", "InputImage", "OutputText")
SHARED: dict[str, object] = {
    "env_keys": KEYS,
    "token_field": "max_completion_tokens",
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
            name="volcengine",
            title="Volcengine Ark",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="doubao-seed-2-0-pro-260215",
            keywords=("volcengine", "volces", "ark", "doubao"),
            base_hosts=("volces.com",),
            options={"base_url": f"{HOST}/api/v3", **SHARED},
        ),
        ProviderSpec(
            name="volcengine_coding_plan",
            title="Volcengine Ark coding plan",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="ark-code-latest",
            keywords=("volcengine-plan",),
            base_hosts=("ark.cn-beijing.volces.com/api/coding",),
            options={
                "base_url": f"{HOST}/api/coding/v3",
                "strip_prefixes": ("volcengine-plan", "volcengine_coding_plan"),
                **SHARED,
            },
        ),
    ]
