"""Offers StepFun: a record for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("STEPFUN_API_KEY", "STEP_API_KEY")


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="stepfun",
            title="StepFun",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="step-3.7-flash",
            keywords=("stepfun", "step-1", "step-2", "step-3", "step-4", "step-5", "step-r1"),
            options={
                "base_url": "https://api.stepfun.com/v1",
                "env_keys": KEYS,
                "effort_map": {"minimal": "low", "xhigh": "high", "max": "high"},
                "reasoning_is_answer": True,
            },
        )
    ]
