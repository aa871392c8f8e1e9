"""Offers Qianfan: a record for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("QIANFAN_API_KEY",)
KEY_PREFIX = "bce-v3/"
ERRORS = {
    "tokens_too_long": "context",
    "characters_too_long": "context",
    "unsafe_request": "filtered",
    "rpm_rate_limit_exceeded": "rate_limit",
    "tpm_rate_limit_exceeded": "rate_limit",
    "preemptible_rpm_rate_limit_exceeded": "rate_limit",
    "preemptible_tpm_rate_limit_exceeded": "rate_limit",
    "coding_plan_hour_quota_exceeded": "quota",
    "coding_plan_week_quota_exceeded": "quota",
    "coding_plan_month_quota_exceeded": "quota",
    "account_overdue": "quota",
    "invalid_iam_token": "auth",
}


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="qianfan",
            title="Qianfan",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="ernie-4.5-turbo-128k",
            keywords=("qianfan", "ernie"),
            key_prefixes=(KEY_PREFIX,),
            options={
                "base_url": "https://qianfan.baidubce.com/v2",
                "env_keys": KEYS,
                "key_prefix": KEY_PREFIX,
                "error_codes": ERRORS,
            },
        )
    ]
