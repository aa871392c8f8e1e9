"""The registry: opens on first use, once, within a deadline; closes in the reverse order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from nanobot.config import PluginConfig
from nanobot.errors import AuthError, ConfigError, NanobotError, PluginError, PluginMissing
from nanobot.specs import ToolSpec
from nanobot_testing import run


def offer(lab: Any, name: str, factory: Any, **spec: Any) -> None:
    """Offer a tool plugin with a factory of its own."""
    lab.offer_factory("tools", ToolSpec(name=name, factory="", **spec), factory)


def simple(value: Any, log: list[str] | None = None) -> Any:
    """Return a factory that notes opening and closing."""

    @asynccontextmanager
    async def factory(config: Any, context: Any) -> AsyncIterator[Any]:
        if log is not None:
            log.append(f"+{value}")
        yield value
        if log is not None:
            log.append(f"-{value}")

    return factory


def with_registry(lab: Any, work: Any) -> Any:
    """Run some work with a registry, and close it."""

    async def go() -> Any:
        registry = lab.make_registry()
        try:
            return await work(registry)
        finally:
            await registry.aclose()

    return run(go(), seconds=10)


def state(lab: Any, name: str) -> tuple[str, str]:
    (status,) = [s for s in lab.host.statuses() if s.entry.name == name]
    return str(status.state), status.reason


def test_a_plugin_is_opened_with_its_section_and_context(lab: Any) -> None:
    seen: list[Any] = []

    @asynccontextmanager
    async def factory(config: Any, context: Any) -> AsyncIterator[Any]:
        seen.extend((config, context))
        yield "tool"

    offer(lab, "files", factory, options={"limit": 5})
    lab.sections["tools.files"] = PluginConfig()

    async def work(registry: Any) -> None:
        assert await registry.open("tools", "files") == "tool"

    with_registry(lab, work)
    config, context = seen
    assert config is lab.sections["tools.files"]
    assert context.id == "tools.files" and dict(context.options) == {"limit": 5}
    assert context.data == lab.instance.data / "plugins" / "tools.files"
    assert not context.data.exists(), "a plugin makes its folder itself"
    assert context.clock is lab.clock and context.extensions("nothing") == {}


def test_a_plugin_is_opened_once_however_many_ask(lab: Any) -> None:
    opened = []

    @asynccontextmanager
    async def factory(config: Any, context: Any) -> AsyncIterator[Any]:
        opened.append(object())
        await asyncio.sleep(0)
        yield opened[-1]

    offer(lab, "files", factory)

    async def work(registry: Any) -> None:
        found = await asyncio.gather(*(registry.open("tools", "files") for _ in range(20)))
        assert {id(one) for one in found} == {id(opened[0])} and len(opened) == 1

    with_registry(lab, work)


def test_plugins_do_not_wait_for_each_other(lab: Any) -> None:
    async def work(registry: Any) -> None:
        slow = asyncio.create_task(registry.open("tools", "slow"))
        assert await registry.open("tools", "quick") == "quick"
        assert not slow.done()
        go.set()
        assert await slow == "slow"

    go = asyncio.Event()

    @asynccontextmanager
    async def factory(config: Any, context: Any) -> AsyncIterator[Any]:
        await go.wait()
        yield "slow"

    offer(lab, "slow", factory)
    offer(lab, "quick", simple("quick"))
    with_registry(lab, work)


def test_nothing_is_opened_that_nobody_asks_for(lab: Any) -> None:
    log: list[str] = []
    offer(lab, "files", simple("files", log))
    lab.model.says("hi")
    lab.offers["tools"]["files"] = lab.offers["tools"]["files"]

    async def work(registry: Any) -> None:
        assert [plugin.id for plugin in registry.usable("tools")] == ["tools.files"]

    with_registry(lab, work)
    assert log == []


def test_the_last_opened_is_closed_first(lab: Any) -> None:
    log: list[str] = []
    for name in "abc":
        offer(lab, name, simple(name, log))

    async def work(registry: Any) -> None:
        for name in "bca":
            await registry.open("tools", name)

    with_registry(lab, work)
    assert log == ["+b", "+c", "+a", "-a", "-c", "-b"]


def test_a_plugin_is_closed_in_the_task_that_opened_it(lab: Any) -> None:
    """As structured concurrency demands, though another task asked for it first."""
    tasks: list[Any] = []

    @asynccontextmanager
    async def factory(config: Any, context: Any) -> AsyncIterator[Any]:
        tasks.append(asyncio.current_task())
        async with asyncio.TaskGroup():
            yield "tool"
        tasks.append(asyncio.current_task())

    offer(lab, "files", factory)

    async def work(registry: Any) -> None:
        await asyncio.create_task(registry.open("tools", "files"))

    with_registry(lab, work)
    assert len(tasks) == 2 and tasks[0] is tasks[1]


# --- failures ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("no driver"), "RuntimeError: no driver"),
        (SystemExit(1), "sys.exit(1)"),
        (asyncio.CancelledError(), "CancelledError"),
        (ModuleNotFoundError("No module named 'x'", name="x"), "module 'x' is not installed"),
        (TimeoutError("the hub is off"), "the hub is off"),
        (StopAsyncIteration(), "StopAsyncIteration"),
    ],
)
def test_a_factory_that_fails(lab: Any, error: BaseException, words: str) -> None:
    @asynccontextmanager
    async def factory(config: Any, context: Any) -> AsyncIterator[Any]:
        raise error
        yield

    offer(lab, "bad", factory)

    async def work(registry: Any) -> None:
        with pytest.raises(PluginError) as caught:
            await registry.open("tools", "bad")
        assert caught.value.plugin == "tools.bad" and words in caught.value.message
        assert "nanobot plugins check tools.bad" in caught.value.remedy

    with_registry(lab, work)
    assert state(lab, "bad")[0] == "failed" and words in state(lab, "bad")[1]


def test_what_a_factory_says_in_words_is_passed_on(lab: Any) -> None:
    @asynccontextmanager
    async def factory(config: Any, context: Any) -> AsyncIterator[Any]:
        raise AuthError("the key is missing", remedy="Set it.")
        yield

    offer(lab, "bad", factory)

    async def work(registry: Any) -> None:
        with pytest.raises(AuthError, match="the key is missing"):
            await registry.open("tools", "bad")

    with_registry(lab, work)


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        ("nanobot_no_such_runtime:open_tool", "module 'nanobot_no_such_runtime' is not installed"),
        ("json:open_tool", "has no attribute 'open_tool'"),
        ("json", "has no attribute ''"),
        ("", "ValueError"),
        ("json:__name__", "'str' object is not callable"),
    ],
)
def test_a_factory_that_is_not_there(lab: Any, factory: str, words: str) -> None:
    lab.offer("tools", ToolSpec(name="bad", factory=""), None)
    object.__setattr__(lab.offers["tools"]["bad"], "factory", factory)

    async def work(registry: Any) -> None:
        with pytest.raises(PluginError) as caught:
            await registry.open("tools", "bad")
        assert words in caught.value.message

    with_registry(lab, work)


def test_a_factory_that_hangs_is_given_up(lab: Any) -> None:
    cancelled = asyncio.Event()

    @asynccontextmanager
    async def factory(config: Any, context: Any) -> AsyncIterator[Any]:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        yield

    offer(lab, "slow", factory)

    async def work(registry: Any) -> None:
        registry._deadline_s = 0.01
        with pytest.raises(PluginError, match=r"did not open within 0\.01 s"):
            await registry.open("tools", "slow")
        await cancelled.wait()

    with_registry(lab, work)
    assert state(lab, "slow")[0] == "failed"


def test_a_factory_that_failed_is_tried_again_after_a_while(lab: Any) -> None:
    """Not at once: each turn would wait for it."""
    attempts: list[int] = []

    @asynccontextmanager
    async def factory(config: Any, context: Any) -> AsyncIterator[Any]:
        attempts.append(1)
        if len(attempts) < 3:
            raise RuntimeError(f"attempt {len(attempts)}")
        yield "tool"

    offer(lab, "bad", factory)

    async def work(registry: Any) -> None:
        for _ in range(3):
            with pytest.raises(PluginError, match="attempt 1"):
                await registry.open("tools", "bad")
        lab.clock.advance(61)
        with pytest.raises(PluginError, match="attempt 2"):
            await registry.open("tools", "bad")
        lab.clock.advance(61)
        assert await registry.open("tools", "bad") == "tool"

    with_registry(lab, work)
    assert len(attempts) == 3 and state(lab, "bad")[0] == "loaded"


def test_leaving_while_it_opens_stops_the_opening(lab: Any) -> None:
    async def work(registry: Any) -> None:
        opening = asyncio.create_task(registry.open("tools", "slow"))
        await begun.wait()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        release.set()
        assert await registry.open("tools", "slow") == "tool"

    begun, release = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def factory(config: Any, context: Any) -> AsyncIterator[Any]:
        begun.set()
        await release.wait()
        yield "tool"

    offer(lab, "slow", factory)
    with_registry(lab, work)
    assert state(lab, "slow")[0] == "loaded"


# --- closing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "words"),
    [(RuntimeError("socket gone"), "socket gone"), (SystemExit(1), "sys.exit(1)")],
)
def test_one_that_fails_to_close_is_logged_and_the_others_are_closed(
    lab: Any, capsys: pytest.CaptureFixture[str], error: BaseException, words: str
) -> None:
    log: list[str] = []

    @asynccontextmanager
    async def factory(config: Any, context: Any) -> AsyncIterator[Any]:
        yield "bad"
        raise error

    offer(lab, "good", simple("good", log))
    offer(lab, "bad", factory)

    async def work(registry: Any) -> None:
        await registry.open("tools", "good")
        await registry.open("tools", "bad")

    with_registry(lab, work)
    assert log == ["+good", "-good"]
    logged = capsys.readouterr().err
    assert "plugin_close_failed" in logged and "tools.bad" in logged and words in logged


def test_one_that_hangs_on_closing_is_left_behind(
    lab: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nanobot._plugins.registry.CLOSE_DEADLINE_S", 0.01)
    log: list[str] = []

    @asynccontextmanager
    async def factory(config: Any, context: Any) -> AsyncIterator[Any]:
        yield "stuck"
        await asyncio.Event().wait()

    offer(lab, "good", simple("good", log))
    offer(lab, "stuck", factory)

    async def work(registry: Any) -> None:
        await registry.open("tools", "good")
        await registry.open("tools", "stuck")

    with_registry(lab, work)
    assert log == ["+good", "-good"]
    assert "did not close within 0.01 s" in capsys.readouterr().err


def test_closing_twice_is_harmless(lab: Any) -> None:
    log: list[str] = []
    offer(lab, "files", simple("files", log))

    async def work(registry: Any) -> None:
        await registry.open("tools", "files")
        await registry.aclose()

    with_registry(lab, work)
    assert log == ["+files", "-files"]


# --- sections ----------------------------------------------------------------------------------


def test_a_section_that_is_not_valid_parks_its_plugin(lab: Any) -> None:
    offer(lab, "good", simple("good"))
    offer(lab, "bad", simple("bad"))
    lab.sections["tools.bad"] = ConfigError("tools.bad.limit: should be a number")

    async def work(registry: Any) -> None:
        assert [plugin.spec.name for plugin in registry.usable("tools")] == ["good"]
        with pytest.raises(ConfigError, match="should be a number"):
            await registry.open("tools", "bad")

    with_registry(lab, work)
    assert state(lab, "bad") == ("misconfigured", "tools.bad.limit: should be a number")


def test_a_section_may_switch_its_plugin_off(lab: Any) -> None:
    offer(lab, "off", simple("off"))
    lab.sections["tools.off"] = PluginConfig(enabled=False)

    async def work(registry: Any) -> None:
        assert registry.usable("tools") == []

    with_registry(lab, work)


@pytest.mark.parametrize("kind", ["tools", "commands", "providers"])
def test_a_plugin_that_is_not_installed_is_named(lab: Any, kind: str) -> None:
    async def work(registry: Any) -> None:
        with pytest.raises(PluginMissing) as caught:
            await registry.open(kind, "no_such")
        assert f"pip install nanobot-{kind[:-1]}-no-such" in caught.value.remedy
        assert isinstance(caught.value, NanobotError)

    with_registry(lab, work)
