"""Opening an instance: what is made, what is said first, what is kept at the end."""

from __future__ import annotations

import json
import stat
import sys
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from nanobot import __version__, log
from nanobot._boot.boot import open_instance
from nanobot.config import PluginConfig, Secret
from nanobot.errors import ConfigError
from nanobot.messages import Text, ToolResult
from nanobot.specs import MiddlewareSpec, ToolDefinition, ToolSpec
from nanobot_security import Disk
from nanobot_testing import run
from pydantic import Field


@pytest.fixture
def bench(shop: Any, lab_module: Any, lab: Any) -> Any:
    """Return a shop whose one provider follows the script of `bench.model`."""
    shop.model = lab_module.Model()
    shop.lab = lab

    @asynccontextmanager
    async def open_provider(config: Any, context: Any) -> Any:
        shop.seen = config
        yield shop.model

    shop.sell("main", default_model="m-1", env_keys=("MAIN_KEY",))
    sys.modules["nanobot_provider_main"].open_provider = open_provider  # type: ignore[attr-defined]
    shop.environ["MAIN_KEY"] = "key-of-main-1"
    return shop


def offer(shop: Any, kind: str, spec: Any, opened: Any) -> None:
    """Install a plugin of another kind."""
    module = ModuleType(f"nanobot_{kind}_{spec.name}")

    @asynccontextmanager
    async def open_it(config: Any, context: Any) -> Any:
        shop.configs = {**getattr(shop, "configs", {}), context.id: config}
        yield opened

    module.open_it = open_it  # type: ignore[attr-defined]
    object.__setattr__(spec, "factory", f"{module.__name__}:open_it")
    shop.implement(module, f"nanobot_{kind}", lambda: [spec])
    shop._patch.setitem(sys.modules, module.__name__, module)
    shop.install(f"{kind}.{spec.name}", module.__name__)


def opened(shop: Any, work: Any = None, **options: Any) -> Any:
    """Open an instance, do some work with it, close it and return it."""

    async def go() -> Any:
        async with open_instance(shop.load(), environ=shop.env, **options) as instance:
            if work is not None:
                await work(instance)
            return instance

    return run(go())


def notices(shop: Any) -> str:
    return "\n".join(opened(shop).notices)


def test_an_instance_answers(bench: Any) -> None:
    bench.model.says("Hello.")

    async def work(instance: Any) -> None:
        events = await bench.lab.ask(instance.engine, "hi")
        assert bench.lab.finished(events).content == "Hello."

    instance = opened(bench, work)
    assert bench.seen.api_key.reveal() == "key-of-main-1"
    assert instance.parts.instance.workspace == bench.folder / "work"
    assert list((bench.folder / "work" / "sessions").glob("*.jsonl"))
    assert log.redact("it is key-of-main-1!") == "it is ***!"


def test_its_folders_are_private(bench: Any) -> None:
    opened(bench, workspace=bench.folder / "other" / "place")
    for folder in ("other/place", "other/place/sessions"):
        assert stat.S_IMODE((bench.folder / folder).stat().st_mode) == 0o700


@pytest.mark.parametrize("kind", ["file", "below a file"])
def test_a_workspace_that_can_not_be_used(bench: Any, kind: str) -> None:
    (bench.folder / "taken").write_text("a file")
    workspace = bench.folder / ("taken" if kind == "file" else "taken/below")
    with pytest.raises(ConfigError, match="can not be used") as caught:
        opened(bench, workspace=workspace)
    assert "-w FOLDER" in caught.value.remedy


def test_settings_reach_the_agent(bench: Any) -> None:
    bench.defaults.update(
        maxToolIterations=7,
        turnTimeoutS=12.5,
        maxTurnTokens=999,
        maxToolResultChars=1234,
        timezone="Asia/Tokyo",
    )
    bench.config["tools"] = {"restrictToWorkspace": True}
    settings = opened(bench).engine.settings
    limits = settings.limits
    assert (limits.max_iterations, limits.turn_timeout_s) == (7, 12.5)
    assert (limits.max_turn_tokens, limits.max_tool_result_chars) == (999, 1234)
    assert settings.timezone == ZoneInfo("Asia/Tokyo") and settings.workspace.restricted
    assert settings.workspace.denied == (bench.folder / "data", bench.folder / "work" / "sessions")
    assert settings.facts["version"] == __version__


def test_tools_can_not_reach_the_instance(bench: Any, lab_module: Any) -> None:
    """Neither the configuration nor the transcripts, even where the whole disk is open."""
    refused: list[str] = []

    class Looks:
        async def call(self, request: Any, turn: Any) -> ToolResult:
            for path in (bench.folder / "data" / "config.json", *turn.workspace.root.glob("*/*")):
                try:
                    Disk.of(turn.workspace).open(str(path))
                except Exception as error:
                    refused.append(f"{path.suffix} {getattr(error, 'kind', error)}")
            return ToolResult.ok("looked")

    made = ToolDefinition(name="look", description="Look.", parameters={"type": "object"})
    offer(bench, "tools", ToolSpec(name="look", factory="", tools=(made,)), Looks())
    bench.model.calls(lab_module.call("look")).says("ok")

    async def work(instance: Any) -> None:
        await bench.lab.ask(instance.engine, "hi")

    opened(bench, work)
    assert sorted(refused) == [".json outside_workspace", ".jsonl outside_workspace"]


# --- what is said first -------------------------------------------------------------------------


def test_plugins_that_are_left_out_are_named(bench: Any) -> None:
    bench.install("tools.sick", "nanobot_not_there")
    bench.install("tools.off", "nanobot_not_there_either")
    bench.config["plugins"] = {"disabled": ["tools.off"]}
    bench.model.says("ok")
    said = notices(bench)
    assert "plugin tools.sick is broken: import failed: module 'nanobot_not_there'" in said
    assert "tools.off" not in said, "what the user switched off is no news"


class LimitConfig(PluginConfig):
    """A section with a number and a secret."""

    limit: int = Field(default=5, description="A number.")
    token: Secret | None = Field(default=None, description="A secret.")


def test_a_plugin_with_a_wrong_section_is_left_out(bench: Any, lab_module: Any) -> None:
    made = ToolDefinition(name="look", description="Look.", parameters={"type": "object"})
    spec = ToolSpec(name="look", factory="", config=LimitConfig, tools=(made,))
    offer(bench, "tools", spec, lab_module.FakeTool(None))
    bench.config["tools"] = {"look": {"limit": "many"}}
    bench.model.says("ok")

    async def work(instance: Any) -> None:
        assert bench.lab.finished(await bench.lab.ask(instance.engine, "hi")).content == "ok"

    instance = opened(bench, work)
    assert bench.model.requests[0].tools == ()
    (status,) = [s for s in instance.parts.host.statuses() if s.entry.id == "tools.look"]
    assert str(status.state) == "misconfigured" and "tools.look.limit" in status.reason


def test_what_became_of_plugins_is_kept(bench: Any) -> None:
    bench.install("tools.sick", "nanobot_not_there")
    opened(bench)
    kept = json.loads((bench.folder / "data" / "plugins.json").read_text())
    assert list(kept) == ["tools.sick@nanobot-tool-sick"]
    assert kept["tools.sick@nanobot-tool-sick"]["state"] == "broken"
    assert opened(bench).parts.host.statuses(), "and it is tried again"
    bench._patch.setitem(sys.modules, "nanobot_not_there", ModuleType("nanobot_not_there"))
    spec = ToolSpec(name="sick", factory="m:f")
    bench.implement(sys.modules["nanobot_not_there"], "nanobot_tools", lambda: [spec])
    opened(bench)
    assert json.loads((bench.folder / "data" / "plugins.json").read_text()) == {}


def test_an_instance_that_can_not_be_opened_leaves_nothing_open(bench: Any) -> None:
    class Policy:
        pass

    closed: list[str] = []

    @asynccontextmanager
    async def first(config: Any, context: Any) -> Any:
        yield Policy()
        closed.append("first")

    @asynccontextmanager
    async def second(config: Any, context: Any) -> Any:
        raise RuntimeError("no policy file")
        yield

    for name, order, factory in (("one", 1, first), ("two", 2, second)):
        offer(bench, "middleware", MiddlewareSpec(name=name, factory="", order=order), None)
        sys.modules[f"nanobot_middleware_{name}"].open_it = factory  # type: ignore[attr-defined]
    with pytest.raises(Exception, match="no policy file"):
        opened(bench)
    assert closed == ["first"]


# --- secrets ------------------------------------------------------------------------------------


def test_a_secret_store_gives_the_secret(bench: Any) -> None:
    """The store's plugin must be of a kind that is loaded; here it is a tool."""
    module = ModuleType("nanobot_tools_keyring")
    bench._patch.setitem(sys.modules, module.__name__, module)
    bench.implement(module, "nanobot_tools", lambda: [ToolSpec(name="keyring", factory="m:f")])
    asked: list[tuple[str, str]] = []

    def resolve(scheme: str, ref: str) -> str | None:
        asked.append((scheme, ref))
        return "from-the-keyring" if scheme == "keyring" else None

    bench.implement(module, "nanobot_resolve_secret", resolve)
    bench.install("tools.keyring", module.__name__)
    bench.config["providers"] = {"main": {"apiKey": "keyring:main/key"}}
    bench.model.says("ok")

    async def work(instance: Any) -> None:
        await bench.lab.ask(instance.engine, "hi")

    opened(bench, work)
    assert ("keyring", "main/key") in asked
    assert bench.seen.api_key.reveal() == "from-the-keyring"
    assert log.redact("from-the-keyring") == "***"

    bench.config["providers"] = {"main": {"apiKey": "other:thing"}}
    bench.model.says("ok")
    opened(bench, work)
    assert bench.seen.api_key.reveal() == "other:thing", "a key may look like that"


def test_the_configured_key_goes_before_the_environment(bench: Any) -> None:
    bench.config["providers"] = {"main": {"apiKey": "configured-key"}}
    bench.model.says("ok")

    async def work(instance: Any) -> None:
        await bench.lab.ask(instance.engine, [Text(text="hi")])

    opened(bench, work)
    assert bench.seen.api_key.reveal() == "configured-key"


# --- time zones ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "hours"),
    [
        ({"timezone": "Asia/Tokyo"}, 9),
        ({"timezone": "UTC"}, 0),
        ({"timezoneMode": "auto"}, 5.5),
        ({"timezone": "Asia/Tokyo", "timezoneMode": "auto"}, 5.5),
    ],
)
def test_the_users_time_zone(
    bench: Any, monkeypatch: pytest.MonkeyPatch, setting: Any, hours: float
) -> None:
    bench.defaults.update(setting)
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        zone = opened(bench).engine.settings.timezone
        moment = datetime(2026, 1, 1, tzinfo=UTC).astimezone(zone)
        assert moment.utcoffset() == timedelta(hours=hours)
    finally:
        monkeypatch.undo()
        time.tzset()
