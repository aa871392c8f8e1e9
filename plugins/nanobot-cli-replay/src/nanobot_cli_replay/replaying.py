"""Runs a recording again, in a temporary instance."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from nanobot.admin import Config, Parts, View, assemble
from nanobot.context import PluginContext, SystemClock
from nanobot.engine import Engine, EngineContext, EngineSettings, Limits, ModelChoice
from nanobot.errors import ConfigError
from nanobot.events import TurnFinished
from nanobot.messages import StopReason, Workspace
from nanobot.paths import Instance
from nanobot_engine_standard.transcript import Transcript, file_name

from nanobot_cli_replay.comparing import Difference, first_difference
from nanobot_cli_replay.recording import SKIPPED, Exchange, Record, Recording
from nanobot_cli_replay.script import Joining, Script, Stage

_BY_TIME = (StopReason.TIME_LIMIT,)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of a replay.

    Args:
        ends: How each turn that ran to its end has ended now.
        skipped: Numbers of the turns that were left out, and why.
    """

    difference: Difference | None
    records: int
    ends: list[tuple[Exchange, TurnFinished]]
    skipped: Mapping[int, str]


class RecordedClock(SystemClock):
    """Shows the time of the recording, and does not wait."""

    def __init__(self) -> None:
        self.time = datetime.fromtimestamp(0, UTC)

    def now(self) -> datetime:
        return self.time.astimezone(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


async def replay(
    config: Config, recording: Recording, *, turn: int | None, live_tools: bool, workspace: Path
) -> Outcome:
    """Run a recording again and compare.

    Args:
        turn: Number of the only turn to run, from 1; those before it are taken as recorded.
        live_tools: Run the real tools, in a copy of the workspace.
        workspace: The real one; it is only read.

    Raises:
        ConfigError: There is no such turn, or no engine to run it.
    """
    exchanges, seed = _chosen(recording, turn)
    skipped = {
        number: "its end depended on time"
        for number, exchange in enumerate(recording.turns, start=1)
        if exchange in exchanges and exchange.stop in _BY_TIME
    }
    left_out = [recording.turns[number - 1] for number in skipped]
    exchanges = [exchange for exchange in exchanges if exchange not in left_out]
    with TemporaryDirectory(prefix="nanobot-replay-") as place:
        instance = Instance(config=Path(place) / "config.json", workspace=Path(place) / "workspace")
        if live_tools:
            _copy(workspace, instance.workspace)
        _sow(instance.sessions, recording.key, seed)
        async with _opened(config, instance, recording, live_tools) as runner:
            ends = [(one, end) for one in exchanges if (end := await runner.run(one))]
        with Transcript(instance.sessions, recording.key) as transcript:
            replayed = [record for record in transcript.read() if record["type"] not in SKIPPED]
    kept = {id(r) for one in exchanges for r in (one.own if turn else one.records)}
    recorded = [record for record in recording.records if id(record) in kept]
    return Outcome(
        difference=first_difference(recorded, replayed[len(seed) :]),
        records=len(recorded),
        ends=[pair for pair in ends if not pair[0].command],
        skipped=skipped,
    )


def _chosen(recording: Recording, turn: int | None) -> tuple[list[Exchange], list[Record]]:
    """Return what is to be run, and the records before it."""
    if turn is None:
        return list(recording.exchanges), []
    if not 0 < turn <= len(recording.turns):
        raise ConfigError(
            f"there is no turn {turn}", remedy=f"The session has {len(recording.turns)}."
        )
    exchange = recording.turns[turn - 1]
    return [exchange], list(recording.records[: exchange.begin])


def _copy(workspace: Path, target: Path) -> None:
    """Copy a workspace without its transcripts."""

    def ignored(folder: str, names: list[str]) -> list[str]:
        return ["sessions"] if Path(folder) == workspace and "sessions" in names else []

    try:
        shutil.copytree(workspace, target, symlinks=True, ignore=ignored)
    except OSError as error:
        raise ConfigError(
            f"the workspace {workspace} can not be copied: {error.strerror or error}",
            remedy="Replay without --live-tools.",
        ) from None


def _sow(sessions: Path, key: str, records: Iterable[Record]) -> None:
    sessions.mkdir(parents=True, exist_ok=True)
    lines = [{"type": "session", "v": 1, "key": key}, *records]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (sessions / file_name(key)).write_text(text)


@asynccontextmanager
async def _opened(
    config: Config, instance: Instance, recording: Recording, live_tools: bool
) -> AsyncIterator[Runner]:
    """Open the engine that the instance has, on the recorded plugins."""
    clock, script = RecordedClock(), Script()
    moved = replace(config, document=replace(config.document, path=instance.config))
    parts = assemble(moved, instance, config.environ, clock)
    stage = Stage(recording, script, View(parts.registry) if live_tools else None)
    settings = _settings(config, instance, recording)
    try:
        engine = await _engine(parts, stage, settings)
        yield Runner(engine, script, clock)
    finally:
        await parts.registry.aclose()


async def _engine(parts: Parts, stage: Stage, settings: EngineSettings) -> Engine:
    found = parts.registry.usable("engines")
    if len(found) != 1:
        raise ConfigError(f"a replay needs exactly one engine, found {len(found)}")

    def extend(base: PluginContext) -> PluginContext:
        known = {field.name: getattr(base, field.name) for field in fields(PluginContext)}
        return EngineContext(**known, plugins=stage, settings=settings)

    section = parts.sections(found[0].spec, "engines")
    engine: Engine = await parts.registry.open_plugin(found[0], section, extend=extend)
    return engine


def _settings(config: Config, instance: Instance, recording: Recording) -> EngineSettings:
    defaults = config.core.agents.defaults
    model = next((r["model"] for r in recording.records if r.get("model")), "recorded")
    choice = (ModelChoice(provider="recorded", model=model, reason="replay"),)
    presets = {r["name"] for r in recording.records if r["type"] == "preset"}
    return EngineSettings(
        presets=dict.fromkeys(("", *sorted(presets)), choice),
        workspace=Workspace(
            root=instance.workspace,
            restricted=True,
            denied=(instance.data, instance.sessions),
        ),
        sessions=instance.sessions,
        spill=instance.spill,
        timezone=UTC,
        limits=Limits(
            max_iterations=defaults.max_tool_iterations,
            turn_timeout_s=defaults.turn_timeout_s,
            max_turn_tokens=defaults.max_turn_tokens,
            max_tool_result_chars=defaults.max_tool_result_chars,
        ),
    )


class Runner:
    """Runs exchanges with an engine, and cuts them off where they were."""

    def __init__(self, engine: Engine, script: Script, clock: RecordedClock) -> None:
        self._engine = engine
        self._script = script
        self._clock = clock

    async def run(self, exchange: Exchange) -> TurnFinished | None:
        """Run an exchange; return how it ended, None if it was cut off."""
        self._clock.time = exchange.inbound.received_at
        end: TurnFinished | None = None
        takes = exchange.takes
        for number in range(len(takes)):
            self._script.take(exchange, number)
            last = number == len(takes) - 1
            stopped = last and exchange.stop == StopReason.CANCELLED
            end = await self._take(exchange, Joining(self._script, suspended=not stopped))
        return end

    async def _take(self, exchange: Exchange, joining: Joining) -> TurnFinished | None:
        """Run a part of an exchange, to its end or to where it was cut off."""
        task = asyncio.create_task(self._handle(exchange, joining))
        cut = asyncio.create_task(self._script.cut.wait())
        try:
            await asyncio.wait({task, cut}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            cut.cancel()
            task.cancel()
        with suppress(asyncio.CancelledError):
            return await task
        return None

    async def _handle(self, exchange: Exchange, joining: Joining) -> TurnFinished | None:
        turn = self._engine.handle(exchange.inbound, follow_ups=joining)
        async with aclosing(turn) as events:
            async for event in events:
                if isinstance(event, TurnFinished):
                    return event
        return None
