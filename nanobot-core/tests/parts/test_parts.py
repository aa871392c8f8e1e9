"""The core's own commands and prompt sections keep the promises that a plugin's must keep."""

from __future__ import annotations

import inspect
import os
import re
from datetime import UTC, datetime, timedelta, timezone
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from nanobot.command import CommandRequest
from nanobot.errors import ConfigError
from nanobot.messages import Role, Workspace
from nanobot.specs import CommandSpec, PromptSpec
from nanobot_command_core.plugin import nanobot_commands
from nanobot_prompt_core.plugin import nanobot_prompts
from nanobot_prompt_core.sections import MAX_CHARS
from nanobot_testing import make_turn, open_spec, run
from nanobot_testing.contracts.command import FakeHost, FakeSession

COMMANDS = tuple(nanobot_commands())
PROMPTS = tuple(nanobot_prompts())


def name_of(spec: Any) -> str:
    return str(spec.name)


async def ask(spec: CommandSpec, folder: Path, *lines: str) -> list[str]:
    """Run a command with some lines of arguments."""
    async with open_spec(spec, {}, folder) as command:
        return [
            await command.run(
                CommandRequest(
                    name=spec.name,
                    arguments=line,
                    turn=make_turn(folder),
                    session=FakeSession(),
                    host=FakeHost(COMMANDS),
                )
            )
            for line in lines
        ]


def test_registering_twice_gives_equal_specs() -> None:
    assert tuple(nanobot_commands()) == COMMANDS
    assert tuple(nanobot_prompts()) == PROMPTS


@pytest.mark.parametrize("spec", COMMANDS, ids=name_of)
def test_a_command_is_described(spec: CommandSpec) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", spec.name)
    assert spec.description.endswith(".") and "\n" not in spec.description
    assert spec.role in (Role.GUEST, Role.USER)


@pytest.mark.parametrize("spec", COMMANDS, ids=name_of)
def test_a_command_answers(spec: CommandSpec, tmp_path: Path) -> None:
    lines = ("", "fast") if spec.name == "model" else ("",)
    assert all(reply.strip() for reply in run(ask(spec, tmp_path, *lines)))


@pytest.mark.parametrize("spec", COMMANDS, ids=name_of)
@pytest.mark.parametrize("line", ["\x00", "no such thing " * 500, "`code` <b>", "-1"])
def test_a_command_answers_nonsense(spec: CommandSpec, tmp_path: Path, line: str) -> None:
    try:
        (reply,) = run(ask(spec, tmp_path, line))
    except ConfigError:
        assert spec.name == "model"
        return
    assert reply.strip()


def test_commands_that_answer_while_a_turn_runs() -> None:
    assert {spec.name for spec in COMMANDS if spec.while_running} == {"help", "status"}


# --- prompt sections ---------------------------------------------------------------------------


async def render(spec: PromptSpec, *turns: Any) -> list[str]:
    async with open_spec(spec, {}, Path(os.devnull).parent) as prompt:
        return [await prompt.render(turn) for turn in turns]


def section(name: str) -> PromptSpec:
    (spec,) = [spec for spec in PROMPTS if spec.name == name]
    return spec


@pytest.mark.parametrize("spec", PROMPTS, ids=name_of)
def test_a_section_renders_the_same_from_turn_to_turn(spec: PromptSpec, tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    for name in ("AGENTS.md", "SOUL.md", "USER.md", "memory/MEMORY.md"):
        (tmp_path / name).write_text(f"What {name} says.")
    one, two = run(render(spec, make_turn(tmp_path, query="one"), make_turn(tmp_path, query="two")))
    assert isinstance(one, str) and one.strip() and one == two


def test_the_order_of_the_sections() -> None:
    system = sorted((p for p in PROMPTS if p.placement == "system"), key=lambda p: p.order)
    assert [p.name for p in system] == ["identity", "agents", "soul", "user", "memory"]
    assert [p.name for p in PROMPTS if p.placement == "turn"] == ["time"]


def test_identity_says_where_it_works(tmp_path: Path) -> None:
    (text,) = run(render(section("identity"), make_turn(tmp_path)))
    assert f"- Workspace: {tmp_path}; relative paths start there.\n" in text
    assert "\\" not in text and "{" not in text
    starts = [line[:2] for line in text.splitlines()[2:]]
    assert set(starts) == {"- ", "  "} and starts.count("- ") == 6


def test_time_tells_the_users_time(tmp_path: Path) -> None:
    turn = make_turn(tmp_path)
    zone = timezone(timedelta(hours=2), "CEST")
    object.__setattr__(turn, "now", datetime(2026, 7, 4, 1, 2, 3, tzinfo=zone))
    assert run(render(section("time"), turn)) == ["[It is Saturday, 2026-07-04 01:02 (CEST).]"]
    object.__setattr__(turn, "now", datetime(2026, 7, 4, tzinfo=UTC))
    assert run(render(section("time"), turn)) == ["[It is Saturday, 2026-07-04 00:00 (UTC).]"]


def test_a_file_is_shown_under_its_name_and_read_again_when_it_changes(tmp_path: Path) -> None:
    turn = make_turn(tmp_path)
    file = tmp_path / "SOUL.md"

    async def go() -> list[str]:
        seen = []
        async with open_spec(section("soul"), {}, tmp_path) as prompt:
            seen.append(await prompt.render(turn))
            for number, text in enumerate([" Be kind.\n\n", "Be brief.", "", None, "Be back."]):
                if text is None:
                    file.unlink()
                else:
                    file.write_text(text)
                    os.utime(file, (number, number))
                seen.append(await prompt.render(turn))
        return seen

    head = "## SOUL.md\n\n"
    assert run(go()) == ["", f"{head}Be kind.", f"{head}Be brief.", "", "", f"{head}Be back."]


def test_two_workspaces_do_not_mix(tmp_path: Path) -> None:
    turns = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "USER.md").write_text(f"I am {name}.")
        os.utime(tmp_path / name / "USER.md", (5, 5))
        turns.append(make_turn(tmp_path / name))
    texts = run(render(section("user"), *turns, *turns))
    assert [text.split()[-1] for text in texts] == ["one.", "two.", "one.", "two."]


def test_a_long_file_is_cut(tmp_path: Path) -> None:
    (tmp_path / "AGENTS.md").write_text("ü" * 1_000_000)
    (text,) = run(render(section("agents"), make_turn(tmp_path)))
    assert text.count("ü") == MAX_CHARS and text.endswith("read it for the rest.]")


def test_a_file_that_is_no_text_harms_nothing(tmp_path: Path) -> None:
    (tmp_path / "AGENTS.md").write_bytes(b"\xff\x00\xfe")
    (text,) = run(render(section("agents"), make_turn(tmp_path)))
    assert text == "## AGENTS.md\n\n\ufffd\x00\ufffd"


def _planted(folder: Path, kind: str, secret: Path) -> None:
    path = folder / "SOUL.md"
    if kind == "link":
        path.symlink_to(secret)
    elif kind == "folder link":
        (folder / "memory").symlink_to(secret.parent)
        secret.rename(secret.parent / "MEMORY.md")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()


@pytest.mark.parametrize("kind", ["link", "folder link", "pipe", "folder"])
@pytest.mark.parametrize("restricted", [True, False])
def test_what_a_tool_may_have_planted_leads_nowhere(
    tmp_path: Path, kind: str, restricted: bool
) -> None:
    """A link to the configuration must not put its keys into the prompt, nor a pipe stop us."""
    folder, data = tmp_path / "work", tmp_path / "data"
    folder.mkdir()
    data.mkdir()
    (data / "config.json").write_text("THE KEY")
    _planted(folder, kind, data / "config.json")
    turn = make_turn(folder)
    guard = Workspace(root=folder, restricted=restricted, denied=(data,))
    object.__setattr__(turn, "workspace", guard)
    for name in ("soul", "memory"):
        assert run(render(section(name), turn), seconds=5) == [""]


def test_factories_are_named_as_kinds_are() -> None:
    for spec in (*COMMANDS, *PROMPTS):
        module, _, name = spec.factory.partition(":")
        assert inspect.isfunction(getattr(import_module(module), name))
