"""A plugin that is a host: it opens an extension point, and others plug into it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from nanobot import hookspec
from nanobot._plugins.catalog import Entry
from nanobot._plugins.host import Host
from nanobot._plugins.registry import Registry
from nanobot._plugins.status import State, Status
from nanobot.errors import ConfigError, PluginError
from nanobot.specs import KindSpec, Spec, ToolSpec
from nanobot_testing import run


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineSpec(Spec):
    """A search engine."""

    needs_key: bool = False


class Hooks:
    """What the owner lets others implement."""

    @hookspec
    def nanobot_search(self) -> Iterable[EngineSpec]:  # type: ignore[empty-body]
        """Return search engines."""


SEARCH = KindSpec(name="search", hookspecs=Hooks, spec=EngineSpec, title="Search engines")


@pytest.fixture
def owned(module: Any) -> Any:
    """Return a function that makes a host of a web tool and engines, all loaded."""

    def make(kinds: Any = lambda: [SEARCH], **engines: Any) -> Host:
        owner = module(
            nanobot_kinds=kinds,
            nanobot_tools=lambda: [ToolSpec(name="web", factory=f"{owner_name}:open_tool")],
            name=owner_name,
            open_tool=open_tool,
        )
        entries = [("tools", "web", owner)]
        entries += [("search", name, value) for name, value in engines.items()]
        host = Host(
            Status(
                entry=Entry(kind=kind, name=name, value=value, distribution=name, version="1"),
                state=State.AVAILABLE,
            )
            for kind, name, value in entries
        )
        host.load("tools")
        host.open_kinds()
        return host

    owner_name = "nanobot_made_owner"
    return make


@asynccontextmanager
async def open_tool(config: Any, context: Any) -> AsyncIterator[Any]:
    """Open the owner; its object is what it finds in its extension point."""
    yield context.extensions


@pytest.fixture
def engine(module: Any) -> Any:
    """Return a function that makes the module of an engine."""

    def make(name: str, factory: Any = None, offered: Any = None, **spec: Any) -> str:
        @asynccontextmanager
        async def opened(config: Any, context: Any) -> AsyncIterator[Any]:
            yield f"engine {name} of {context.id}"

        own = f"nanobot_made_{name}"
        made = EngineSpec(name=name, factory=f"{own}:open_search", **spec)
        return module(  # type: ignore[no-any-return]
            name=own,
            nanobot_search=offered or (lambda: [made]),
            open_search=factory or opened,
        )

    return make


def reasons(host: Host) -> dict[str, tuple[str, str]]:
    return {status.entry.id: (str(status.state), status.reason) for status in host.statuses()}


def use(lab: Any, host: Host, work: Any, sections: Any = lambda spec, kind: spec.config()) -> Any:
    """Open the owner and do some work with its extensions."""

    async def go() -> Any:
        registry = Registry(host, sections, lab.instance, lab.clock)
        try:
            return await work(await registry.open("tools", "web"))
        finally:
            await registry.aclose()

    return run(go())


def test_engines_plug_into_the_owner(lab: Any, owned: Any, engine: Any) -> None:
    host = owned(brave=engine("brave", title="Brave", needs_key=True), bing=engine("bing"))
    assert host.kinds == {"search": SEARCH}
    assert reasons(host)["search.brave"] == ("available", ""), "not imported before it is wanted"

    async def work(extensions: Any) -> None:
        found = extensions("search")
        assert list(found) == ["bing", "brave"]
        assert found["brave"].spec.title == "Brave" and found["brave"].spec.needs_key
        async with found["brave"].open() as one, found["brave"].open() as two:
            assert one == two == "engine brave of search.brave"
        assert extensions("search").keys() == found.keys() and extensions("images") == {}

    use(lab, host, work)
    assert {reasons(host)[id][0] for id in ("search.bing", "search.brave")} == {"loaded"}


def test_an_engine_is_opened_once_and_closed_at_the_end(lab: Any, owned: Any, engine: Any) -> None:
    log: list[str] = []

    @asynccontextmanager
    async def factory(config: Any, context: Any) -> AsyncIterator[Any]:
        log.append("open")
        yield "engine"
        log.append("close")

    host = owned(brave=engine("brave", factory))

    async def work(extensions: Any) -> None:
        async def search() -> None:
            async with extensions("search")["brave"].open() as found:
                assert found == "engine"

        await asyncio.gather(*(search() for _ in range(5)))
        assert log == ["open"]

    use(lab, host, work)
    assert log == ["open", "close"]


def test_an_engine_that_fails_harms_neither_owner_nor_others(
    lab: Any, owned: Any, engine: Any
) -> None:
    def broken() -> Any:
        raise ValueError("no key")

    @asynccontextmanager
    async def fails(config: Any, context: Any) -> AsyncIterator[Any]:
        raise RuntimeError("down")
        yield

    host = owned(
        gone="nanobot_not_there",
        broken=engine("broken", offered=broken),
        odd=engine("odd", offered=lambda: [ToolSpec(name="odd", factory="x:y")]),
        fails=engine("fails", fails),
        badly=engine("badly"),
        good=engine("good"),
    )

    def sections(spec: Any, kind: str) -> Any:
        if spec.name == "badly":
            raise ConfigError("search.badly.key: is missing")
        return spec.config()

    async def work(extensions: Any) -> None:
        found = extensions("search")
        assert list(found) == ["fails", "good"]
        with pytest.raises(PluginError, match="down"):
            async with found["fails"].open():
                pass
        async with found["good"].open() as opened:
            assert "engine good" in opened

    use(lab, host, work, sections)
    found = reasons(host)
    assert {id: state for id, (state, _) in found.items()} == {
        "tools.web": "loaded",
        "search.gone": "broken",
        "search.broken": "broken",
        "search.odd": "broken",
        "search.fails": "failed",
        "search.badly": "misconfigured",
        "search.good": "loaded",
    }
    assert found["search.odd"][1] == "nanobot_search returned a ToolSpec, not a EngineSpec"


class NoHooks:
    """Carries none."""


class OtherHooks:
    """Carries one that the kind's name does not call for."""

    @hookspec
    def nanobot_other(self) -> Iterable[EngineSpec]:  # type: ignore[empty-body]
        """Return something."""


class CoreHooks:
    """Carries one that is the core's."""

    @hookspec
    def nanobot_tools(self) -> Iterable[EngineSpec]:  # type: ignore[empty-body]
        """Return something."""


def _raises() -> Any:
    raise ValueError("bug")


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        (_raises, "nanobot_kinds raised ValueError: bug"),
        (lambda: ["search"], "nanobot_kinds returned a str"),
        (
            lambda: [KindSpec(name="tools", hookspecs=Hooks, spec=EngineSpec)],
            "opens kind 'tools', which exists already",
        ),
        (lambda: [SEARCH, SEARCH], "opens kind 'search', which exists already"),
        (
            lambda: [KindSpec(name="search", hookspecs=NoHooks, spec=EngineSpec)],
            "hookspecs of search: ",
        ),
        (
            lambda: [KindSpec(name="search", hookspecs=OtherHooks, spec=EngineSpec)],
            "hookspecs of search: ",
        ),
        (
            lambda: [KindSpec(name="search", hookspecs=CoreHooks, spec=EngineSpec)],
            "hookspecs of search: ",
        ),
    ],
)
def test_an_owner_that_opens_wrongly_is_left_out(owned: Any, kinds: Any, words: str) -> None:
    host = owned(kinds)
    state, reason = reasons(host)["tools.web"]
    assert state == "broken" and words in reason
    assert host.collect("tools") == []


def test_without_the_owner_its_extensions_are_not_imported(lab: Any, engine: Any) -> None:
    brave = Entry(
        kind="search", name="brave", value="nanobot_not_there", distribution="d", version="1"
    )
    host = Host([Status(entry=brave, state=State.AVAILABLE)])
    host.open_kinds()
    assert host.kinds == {} and reasons(host)["search.brave"] == ("available", "")
