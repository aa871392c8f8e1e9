"""Patterns of the owner, and hints about commands that are nearly always a mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from nanobot.errors import ConfigError
from nanobot_tool_exec.guard import Guard, segments
from nanobot_tool_exec.hints import danger

DANGEROUS = [
    "rm -rf /",
    "rm -fr /*",
    "rm --recursive --force ~",
    "sudo rm -rf --no-preserve-root /",
    "cd /tmp && rm -r -f $HOME/",
    "rm -rf '/etc'",
    "X=1 rm -rf /usr/*",
    "echo hi\nrm -rf /",
    "(rm -rf /)",
    "if true; then rm -rf ~; fi",
    "bash -c 'rm -rf /'",
    "sudo sh -c 'shutdown now'",
    "find / | xargs rm -rf /",
    "mkfs.ext4 /dev/sda1",
    "/sbin/mkfs -t ext4 /dev/vdb",
    "wipefs -a /dev/nvme0n1",
    "dd if=/dev/zero of=/dev/sda bs=1M",
    "cat image > /dev/sdb",
    "echo x >>/dev/nvme0n1",
    "shutdown -h now",
    "/sbin/reboot",
    "systemctl poweroff",
    ":(){ :|:& };:",
    "bomb() { bomb | bomb & }; bomb",
    "kill -9 -1",
    "pkill -f nanobot",
    "killall nanobot",
]

HARMLESS = [
    "echo hi",
    "rm -rf build dist",
    "rm -rf ./out/*",
    "rm -rf *",
    "rm -rf /tmp/cache",
    "rm -rf ~/project/node_modules",
    "rm file.txt /nothing",
    "make 2>/dev/null",
    "cat x > /dev/null 2>&1",
    "dd if=ok.txt of=copy.txt 2>/dev/null",
    "dd if=/dev/urandom of=seed bs=16 count=1",
    "git format-patch -1 --stdout",
    "git commit -m 'do not rm -rf / or shutdown'",
    'echo "rm -rf /"',
    "grep -r shutdown .",
    "man reboot",
    "cat <<'EOF' > stop.sh\nshutdown -h now\nEOF",
    "# don't shutdown",
    "kill -1 4711",
    "kill 4711",
    "pgrep nanobot",
    "find . -name '*.py' | xargs rm -f",
    "f() { echo $1 | cat; }; f x",
    "",
]


@pytest.mark.parametrize("command", DANGEROUS)
def test_a_hint_recognises(command: str) -> None:
    assert danger(command)


@pytest.mark.parametrize("command", HARMLESS)
def test_no_hint_stands_in_the_way_of(command: str) -> None:
    assert danger(command) == ""


def test_hints_are_quick_on_long_commands() -> None:
    """A search that backtracks without end would not come back within the test's time."""
    assert danger("x" * 120_000) == ""
    assert danger(":(){" * 20_000) == ""


def test_a_refused_command_is_not_run(execute: Any, workspace: Path) -> None:
    result = execute("touch ran; shutdown -h now")
    assert result.kind == "refused_command"
    assert "stops the machine" in result.text
    assert not (workspace / "ran").exists()


def test_deny_patterns(execute: Any) -> None:
    config = {"denyPatterns": [r"\bcurl\b", r"git\s+push"]}
    refused = execute("git  push origin", config=config)
    assert refused.kind == "refused_command" and "denyPatterns" in refused.text
    assert not execute("echo curling", config=config).is_error


@pytest.mark.parametrize(
    ("command", "allowed"),
    [
        ("git status", True),
        ("git status && git log -1 | head -3", True),
        ("git status; rm x", False),
        ("git status\nrm x", False),
        ("git status & rm x", False),
        ("git log 2>&1", True),
        ("git log $(rm x)", False),
        ("git log `rm x`", False),
        ("git log <(rm x)", False),
        ("git log 'a; b'", True),
        ("git log 'a' ; rm x '", False),
        (r"git log \; rm x", True),
        (r"git log '\'; rm x", False),
        ("git log &>/dev/null rm x", False),
        ("ls", False),
    ],
)
def test_allow_patterns_hold_for_every_part(command: str, allowed: bool) -> None:
    guard = Guard(allow=["git( .*)?", "head .*"], deny=[])
    assert (guard.objection(command) == "") is allowed


def test_what_is_allowed_is_not_checked_further() -> None:
    guard = Guard(allow=["shutdown -c"], deny=["shutdown"])
    assert guard.objection("shutdown -c") == ""
    assert guard.objection("shutdown now")


def test_segments() -> None:
    assert segments("a; b|c && d || e\nf") == ["a", "b", "c", "d", "e", "f"]
    assert segments("echo 'x;y' \"a|b\" c\\;d 2>&1") == ["echo 'x;y' \"a|b\" c\\;d 2>&1"]


def test_a_pattern_without_end_refuses_instead_of_freezing() -> None:
    guard = Guard(allow=[], deny=["(a|aa)+$"])
    assert "too long" in guard.objection("a" * 200 + "!")


def test_a_broken_pattern_is_a_clear_error() -> None:
    with pytest.raises(ConfigError, match="denyPatterns"):
        Guard(allow=[], deny=["("])
