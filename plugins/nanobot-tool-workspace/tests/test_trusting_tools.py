"""Approving files on the command line, and what that does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nanobot.errors import ConfigError

BAD = "raise AssertionError('it was run')"


def test_a_new_file_waits_and_is_not_run(place: Any) -> None:
    place.write("a.py", source=BAD)
    assert place.names() == ["workspace_tools"]
    told = place.call("workspace_tools").text
    assert told == "a.py: it waits for the owner's approval: nanobot tools trust"
    assert "waits for your approval" in place.nanobot_tools("list").output


def test_the_owner_approves_each_or_not(place: Any) -> None:
    place.write("a.py")
    place.write("b.py")
    done = place.nanobot_tools("trust", answers="y\nn\n")
    assert done.exit_code == 0
    assert "Approved a.py; it is loaded at the next start." in done.output
    assert place.names() == ["a", "workspace_tools"]
    listed = place.nanobot_tools("list").output.splitlines()
    assert [line.split("  ")[-1] for line in listed] == [
        "approved",
        "waits for your approval; not loaded",
    ]


@pytest.mark.parametrize("name", ["b", "b.py"])
def test_a_named_file_is_approved_without_questions(place: Any, name: str) -> None:
    place.write("a.py")
    place.write("b.py")
    assert place.nanobot_tools("trust", name, "--yes").exit_code == 0
    assert place.names() == ["b", "workspace_tools"]
    assert "Nothing waits" in place.nanobot_tools("trust", name, "--yes").output


def test_nobody_to_ask_approves_nothing(place: Any) -> None:
    place.write("a.py", source=BAD)
    assert place.nanobot_tools("trust").exit_code == 1
    assert place.names() == ["workspace_tools"]


def test_a_change_is_asked_about_again(place: Any) -> None:
    place.write("a.py")
    place.nanobot_tools("trust", "--yes")
    assert place.names() == ["a"]
    place.write("a.py", source=BAD)
    assert place.names() == ["workspace_tools"]
    assert "was changed" in place.call("workspace_tools").text
    assert "changed since it was approved" in place.nanobot_tools("list").output
    place.write("a.py")
    assert place.names() == ["a"], "what was approved is the content"


def test_an_approval_is_for_one_place(place: Any) -> None:
    path = place.write("a.py")
    place.nanobot_tools("trust", "--yes")
    path.rename(path.with_name("b.py"))
    assert place.names() == ["workspace_tools"]


def test_an_approval_is_taken_back(place: Any) -> None:
    place.write("a.py").unlink()
    place.write("b.py")
    place.nanobot_tools("trust", "--yes")
    place.write("b.py").unlink()
    assert "not approved any more" in place.nanobot_tools("revoke", "b").output
    place.write("b.py")
    assert place.names() == ["workspace_tools"]
    refused = place.nanobot_tools("revoke", "b").exception
    assert isinstance(refused, ConfigError)
    assert "Approved are: none." in str(refused)


def test_an_approval_holds_however_the_workspace_is_spelled(place: Any, tmp_path: Path) -> None:
    place.write("a.py")
    (tmp_path / "link").symlink_to(place.workspace)
    place.nanobot_tools("trust", "--yes", "--workspace", str(tmp_path / "link"))
    assert place.names() == ["a"]


def test_a_name_can_not_pass_for_another_one(place: Any) -> None:
    place.write("a.py\r\x1b[2Kb.py", "a", source=BAD)
    place.nanobot_tools("trust", "--yes")
    output = place.nanobot_tools("list").output
    assert "\x1b" not in output
    assert "its name can not be shown" in output
    assert place.names() == ["workspace_tools"]


def test_a_name_that_is_none_is_told(place: Any) -> None:
    place.write("a.py")
    refused = place.nanobot_tools("trust", "x").exception
    assert isinstance(refused, ConfigError)
    assert "There are: a.py." in str(refused)


def test_what_can_not_be_read_can_not_be_approved(place: Any) -> None:
    (place.folder / "a.py").symlink_to("/etc/hosts")
    assert isinstance(place.nanobot_tools("trust", "a", "--yes").exception, ConfigError)
    assert "Nothing waits" in place.nanobot_tools("trust", "--yes").output
    assert "it leads out of the workspace" in place.nanobot_tools("list").output


@pytest.mark.parametrize(("value", "said"), [(True, "all are loaded"), (False, "none is loaded")])
def test_the_list_says_what_the_setting_means(place: Any, value: bool, said: str) -> None:
    place.configure({"trust": value})
    output = place.nanobot_tools("list").output
    assert said in output
    assert "There are no tools in" in output


def test_approvals_are_private_and_a_damaged_file_approves_nothing(place: Any) -> None:
    place.write("a.py", source=BAD)
    place.nanobot_tools("trust", "--yes")
    kept = place.data / "trusted.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert list(json.loads(kept.read_text())) == [str(place.folder / "a.py")]
    for damage in (b"\xff", b"[1]", json.dumps({str(place.folder / "a.py"): 1}).encode()):
        kept.write_bytes(damage)
        assert place.names() == ["workspace_tools"]
