"""What is said of a configuration before a command is refused."""

from __future__ import annotations

import pytest
from nanobot.findings import AdviceRequest
from nanobot_tool_exec.plugin import nanobot_advice


def advice(section: object, *installed: str) -> list[str]:
    request = AdviceRequest(
        document={"tools": {"exec": section}}, installed={"sandboxes": installed}, specs={}
    )
    return [str(finding) for finding in nanobot_advice(request)]


@pytest.mark.parametrize("section", [{}, None, {"sandbox": "auto"}, {"sandbox": "bwrap"}])
def test_a_missing_sandbox_is_told(section: object) -> None:
    (said,) = advice(section)
    assert said.startswith("tools.exec.sandbox: exec refuses all commands")
    assert "pip install nanobot-sandbox-bwrap" in said


def test_another_sandbox_is_no_substitute() -> None:
    (said,) = advice({"sandbox": "landlock"}, "bwrap")
    assert "pip install nanobot-sandbox-landlock" in said


@pytest.mark.parametrize(
    ("section", "installed"),
    [
        ({}, ["landlock"]),
        ({"sandbox": "bwrap"}, ["bwrap"]),
        ({"sandbox": ""}, []),
        ({"enabled": False}, []),
        ({"enable": False}, []),
    ],
)
def test_nothing_is_said_of_what_works(section: object, installed: list[str]) -> None:
    assert advice(section, *installed) == []


def test_documents_of_any_shape_are_taken() -> None:
    for document in ({}, {"tools": []}, {"tools": {"exec": 1}}):
        request = AdviceRequest(document=document, installed={"sandboxes": ["bwrap"]}, specs={})
        assert list(nanobot_advice(request)) == []
