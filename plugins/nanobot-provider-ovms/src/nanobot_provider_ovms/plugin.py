"""Offers OpenVINO Model Server: a record for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

BASE_URL = "http://127.0.0.1:8000/v3"


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="ovms",
            title="OpenVINO Model Server",
            factory="nanobot_provider_compat.provider:open_provider",
            keywords=("openvino", "ovms"),
            needs_key=False,
            probe_url=BASE_URL,
            options={
                "base_url": BASE_URL,
                "needs_key": False,
                "local": True,
                "thinking": "chat_template",
                "effort_map": dict.fromkeys(
                    ("minimal", "low", "medium", "high", "xhigh", "max"), ""
                ),
            },
        )
    ]
