"""/undo as a user types it, through the whole agent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from nanobot.messages import Role
from nanobot_testing.lab import Lab, call


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    made = Lab(tmp_path)
    made.standard |= {"nanobot-tool-files", "nanobot-command-undo"}
    return made


def test_a_turn_is_taken_back(lab: Lab) -> None:
    path = lab.instance.workspace / "a.txt"
    path.write_text("mine\n")
    change = {"path": "a.txt", "content": "the model's\n"}
    lab.model.calls(call("write_file", json.dumps(change))).says("Done.")
    lab.run("change it")
    assert path.read_text() == "the model's\n"
    reply = lab.finished(lab.run("/undo")).content
    assert reply == "Undone what the last turn changed:\n- restored a.txt"
    assert path.read_text() == "mine\n"
    assert not lab.model.left


def test_guests_may_not(lab: Lab) -> None:
    (lab.instance.workspace / "a.txt").write_text("mine\n")
    change = {"path": "a.txt", "content": "the model's\n"}
    lab.model.calls(call("write_file", json.dumps(change))).says("Done.")
    lab.run("change it")
    assert "Undone" not in lab.finished(lab.run("/undo", role=Role.GUEST)).content
    assert (lab.instance.workspace / "a.txt").read_text() == "the model's\n"


def test_the_model_can_not_reach_the_copies(lab: Lab) -> None:
    (lab.instance.workspace / "a.txt").write_text("mine\n")
    change = {"path": "a.txt", "content": "the model's\n"}
    kept = lab.instance.plugin_data("tools.files") / "undo"
    lab.model.calls(call("write_file", json.dumps(change)))
    lab.model.calls(call("list_dir", json.dumps({"path": str(kept)}))).says("Done.")
    lab.run("look")
    assert list(kept.glob("*-*-*"))
    (use,) = lab.model.requests[-1].messages[-1].tool_uses  # type: ignore[union-attr]
    assert use.result.kind == "outside_workspace"
