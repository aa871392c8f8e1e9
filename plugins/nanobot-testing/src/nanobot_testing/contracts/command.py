"""The contract of slash commands."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from nanobot.command import CommandRequest, HistoryEntry
from nanobot.errors import ConfigError
from nanobot.specs import CommandSpec

from nanobot_testing.contracts.base import PluginContract
from nanobot_testing.host import make_turn, open_spec, run


@dataclass
class FakeSession:
    """A session that remembers what was done to it."""

    key: str = "test:alice"
    entries: list[HistoryEntry] = field(default_factory=list)
    chosen: str = ""
    resets: int = 0

    def reset(self) -> None:
        self.entries.clear()
        self.resets += 1

    def history(self, count: int) -> Sequence[HistoryEntry]:
        return self.entries[-count:] if count > 0 else []

    def preset(self) -> str:
        return self.chosen

    def choose_preset(self, name: str) -> None:
        if name not in {"", "fast", "deep"}:
            raise ConfigError(f"unknown preset {name!r}")
        self.chosen = name


@dataclass
class FakeHost:
    """A host with two presets."""

    specs: Sequence[CommandSpec] = ()

    def commands(self) -> Sequence[CommandSpec]:
        return self.specs

    def presets(self) -> Mapping[str, str]:
        return {"fast": "model-small", "deep": "model-large"}

    def facts(self, session_key: str) -> Mapping[str, str]:
        return {"version": "0", "model": "model-small", "session": session_key}


class CommandContract(PluginContract):
    """Promises of a slash command.

    Attributes:
        arguments: Lines of arguments that must work.
    """

    arguments: ClassVar[Sequence[str]] = ("",)

    def test_is_described(self, spec: CommandSpec) -> None:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", spec.name)
        assert spec.description and "\n" not in spec.description

    def _run(self, spec: CommandSpec, tmp_path: Path, lines: Sequence[str]) -> list[str]:
        async def go() -> list[str]:
            async with open_spec(spec, self.config, tmp_path, plugin=self.plugin) as command:
                return [
                    await command.run(
                        CommandRequest(
                            name=spec.name.replace("_", "-"),
                            arguments=line,
                            turn=make_turn(tmp_path),
                            session=FakeSession(),
                            host=FakeHost((spec,)),
                        )
                    )
                    for line in lines
                ]

        return run(go())

    def test_answers(self, spec: CommandSpec, tmp_path: Path) -> None:
        for reply in self._run(spec, tmp_path, self.arguments):
            assert isinstance(reply, str) and reply.strip()

    def test_nonsense_is_answered_too(self, spec: CommandSpec, tmp_path: Path) -> None:
        try:
            replies = self._run(spec, tmp_path, ["\x00", "no such thing " * 500])
        except ConfigError:
            return
        assert all(isinstance(reply, str) and reply.strip() for reply in replies)
