"""What the tests share: a server that takes thinking without a signature, as this vendor does."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from nanobot_testing.servers import messages


@pytest.fixture(autouse=True)
def unsigned_thinking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the scripted server, which is as strict as Anthropic, pass unsigned blocks."""
    strict = messages.fault_in

    def lenient(body: dict[str, Any]) -> str:
        body = deepcopy(body)
        for message in body["messages"]:
            for block in message["content"]:
                if block["type"] == "thinking":
                    block.setdefault("signature", "unsigned")
        return strict(body)

    monkeypatch.setattr(messages, "fault_in", lenient)
