"""The host: a plugin that fails to import, register or answer is left out, in words."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nanobot._plugins.catalog import Entry
from nanobot._plugins.host import Host
from nanobot._plugins.status import State, Status
from nanobot.specs import CommandSpec, PromptSpec, ToolSpec

Make = Callable[..., str]


def tools(*names: str) -> Callable[[], Any]:
    """Return a hook that offers tools."""
    return lambda: [ToolSpec(name=name, factory="m:open_tool") for name in names]


@pytest.fixture
def good(module: Make) -> str:
    """Return a module that offers tools.good, for checking that it goes on."""
    return module(nanobot_tools=tools("good"))


def names(host: Host, kind: str = "tools") -> list[str]:
    return [plugin.spec.name for plugin in host.collect(kind)]


def test_what_is_offered_is_collected_by_name(module: Make, host: Any, state: Any) -> None:
    both = module(nanobot_tools=tools("b", "c"))
    one = module(nanobot_tools=tools("a"))
    made = host(("tools.c", both), ("tools.a", one), ("tools.b", both))
    assert names(made) == ["a", "b", "c"]
    assert {str(status.state) for status in made.statuses()} == {"loaded"}
    (a, b, c) = made.collect("tools")
    assert [p.entry.id for p in (a, b, c)] == [p.id for p in (a, b, c)]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def broken(:\n", "SyntaxError in"),
        ("import nanobot_no_such_sdk\n", "module 'nanobot_no_such_sdk' is not installed"),
        ("from nanobot.specs import NoSuchSpec\n", "cannot import name 'NoSuchSpec'"),
        ("raise SystemExit(3)\n", "it called sys.exit(3)"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("raise ValueError\n", "import failed: ValueError"),
    ],
)
def test_a_module_that_can_not_be_imported(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    host: Any,
    state: Any,
    good: str,
    source: str,
    words: str,
) -> None:
    (tmp_path / "nanobot_tool_bad.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    made = host(("tools.bad", "nanobot_tool_bad"), ("tools.good", good))
    sys.modules.pop("nanobot_tool_bad", None)
    kind, reason = state(made, "tools.bad")
    assert kind == "broken" and reason.startswith("import failed: ") and words in reason
    assert names(made) == ["good"]


@pytest.mark.parametrize("value", ["", ".", "a..b", "no module", "nanobot:x", "os.nothing"])
def test_an_entry_that_names_no_module(host: Any, state: Any, good: str, value: str) -> None:
    made = host(("tools.bad", value), ("tools.good", good))
    assert state(made, "tools.bad")[0] == "broken" and names(made) == ["good"]


@pytest.mark.parametrize(
    ("hook", "meant"),
    [("nanobot_tool", "nanobot_tools"), ("nanobot_promts", "nanobot_prompts")],
)
def test_a_hook_that_is_none_gets_a_suggestion(
    module: Make, host: Any, state: Any, good: str, hook: str, meant: str
) -> None:
    bad = module(**{hook: tools("bad")})
    made = host(("tools.bad", bad), ("tools.good", good))
    assert state(made, "tools.bad") == (
        "broken",
        f"implements {hook}, which is no hook of this core; did you mean {meant}?",
    )
    assert names(made) == ["good"]


def test_a_module_without_hooks(module: Make, host: Any, state: Any, good: str) -> None:
    made = host(("tools.bad", module()), ("tools.good", good))
    assert state(made, "tools.bad") == ("broken", "implements no hook of this core")
    assert names(made) == ["good"]


def test_a_hook_with_arguments_of_its_own(module: Make, host: Any, state: Any, good: str) -> None:
    bad = module(nanobot_tools=lambda config: [])
    made = host(("tools.bad", bad), ("tools.worse", bad), ("tools.good", good))
    for id in ("tools.bad", "tools.worse"):
        kind, reason = state(made, id)
        assert kind == "broken" and reason.startswith("registration failed: ")
        assert "config" in reason
    assert names(made) == ["good"]


def _raises(error: BaseException) -> Callable[[], Any]:
    def hook() -> Any:
        raise error

    return hook


def _later(error: BaseException) -> Callable[[], Any]:
    def hook() -> Any:
        yield ToolSpec(name="bad", factory="m:f")
        raise error

    return hook


async def _async() -> Any:
    return []


@pytest.mark.parametrize(
    ("hook", "words"),
    [
        (_raises(ValueError("no config")), "nanobot_tools raised ValueError: no config"),
        (_raises(SystemExit(1)), "nanobot_tools raised it called sys.exit(1)"),
        (_later(KeyError("x")), "nanobot_tools raised KeyError: 'x'"),
        (lambda: None, "nanobot_tools raised TypeError"),
        (lambda: 5, "nanobot_tools raised TypeError"),
        (lambda: ToolSpec(name="bad", factory="m:f"), "nanobot_tools raised TypeError"),
        (lambda: _async(), "it is async, and hooks are not"),
        (lambda: ["bad"], "nanobot_tools returned a str, not a ToolSpec"),
        (
            lambda: [CommandSpec(name="bad", factory="m:f")],
            "nanobot_tools returned a CommandSpec, not a ToolSpec",
        ),
        (lambda: [], "nanobot_tools offers no tools.bad"),
        (tools("other"), "offers tools.other, but has no entry point of that name"),
        (tools("bad", "bad"), "offers tools.bad twice"),
        (lambda: [ToolSpec(name="bad", factory="m:f"), None], "returned a NoneType"),
    ],
)
def test_a_hook_that_answers_wrongly(
    module: Make, host: Any, state: Any, good: str, hook: Callable[[], Any], words: str
) -> None:
    """The plugin is left out whole, and everybody else goes on."""
    made = host(("tools.bad", module(nanobot_tools=hook)), ("tools.good", good))
    assert names(made) == ["good"]
    kind, reason = state(made, "tools.bad")
    assert kind == "broken" and words in reason
    assert state(made, "tools.good")[0] == "loaded"


def test_a_hook_that_fails_breaks_all_that_its_module_offers_of_the_kind(
    module: Make, host: Any, state: Any
) -> None:
    bad = module(
        nanobot_tools=_raises(ValueError("x")),
        nanobot_prompts=lambda: [PromptSpec(name="bad", factory="m:f")],
    )
    made = host(("tools.one", bad), ("tools.two", bad), ("prompts.bad", bad))
    assert names(made) == [] and names(made, "prompts") == ["bad"]
    assert [state(made, id)[0] for id in ("tools.one", "tools.two", "prompts.bad")] == [
        "broken",
        "broken",
        "loaded",
    ]


def test_one_offer_of_a_module_may_be_switched_off(module: Make) -> None:
    both = module(nanobot_tools=tools("a", "b"))
    entries = [
        Entry(kind="tools", name=name, value=both, distribution="d", version="1") for name in "ab"
    ]
    made = Host(
        [
            Status(entry=entries[0], state=State.AVAILABLE),
            Status(entry=entries[1], state=State.DISABLED, reason="listed in plugins.disabled"),
        ]
    )
    made.load("tools")
    assert names(made) == ["a"]
    assert [str(status.state) for status in made.statuses()] == ["loaded", "disabled"]


@pytest.mark.parametrize("kind", [kind for kind in State if not kind.usable])
def test_what_is_not_usable_is_never_imported(kind: State) -> None:
    parked = Entry(
        kind="tools", name="x", value="nanobot_never_imported", distribution="d", version="1"
    )
    made = Host([Status(entry=parked, state=kind, reason="why")])
    made.load("tools")
    assert made.statuses() == (Status(entry=parked, state=kind, reason="why"),)


def test_only_what_is_named_is_imported(module: Make, host: Any, state: Any) -> None:
    made = host(
        ("tools.a", module(nanobot_tools=tools("a"))),
        ("tools.b", "nanobot_never_imported"),
        load=("none",),
    )
    made.load("tools", ["a"])
    assert state(made, "tools.a")[0] == "loaded" and state(made, "tools.b")[0] == "available"
    assert names(made) == ["a"]


# --- questions ---------------------------------------------------------------------------------


def test_the_first_answer_that_is_one_counts(module: Make, host: Any) -> None:
    asked: list[tuple[str, str, str]] = []

    def store(name: str, answer: str | None) -> Callable[..., Any]:
        def resolve(scheme: str, ref: str) -> str | None:
            asked.append((name, scheme, ref))
            return answer

        return resolve

    made = host(
        *(
            (
                f"tools.{name}",
                module(nanobot_tools=tools(name), nanobot_resolve_secret=store(name, answer)),
            )
            for name, answer in (("a", None), ("b", "secret"), ("c", "other"))
        )
    )
    assert made.first("nanobot_resolve_secret", scheme="keyring", ref="x") == "secret"
    assert asked == [("a", "keyring", "x"), ("b", "keyring", "x")]


def test_an_implementation_takes_the_arguments_that_it_wants(module: Make, host: Any) -> None:
    made = host(("tools.a", module(nanobot_resolve_secret=lambda ref: f"secret of {ref}")))
    assert made.first("nanobot_resolve_secret", scheme="keyring", ref="x") == "secret of x"


def test_one_that_fails_to_answer_is_passed_over(
    module: Make, host: Any, state: Any, good: str
) -> None:
    def bad(scheme: str) -> str:
        raise RuntimeError("locked")

    made = host(
        ("tools.bad", module(nanobot_resolve_secret=bad)),
        ("tools.fine", module(nanobot_resolve_secret=lambda: "secret")),
    )
    assert made.first("nanobot_resolve_secret", scheme="keyring", ref="x") == "secret"
    assert "raised RuntimeError: locked" in state(made, "tools.bad")[1]


def test_nobody_answers(host: Any) -> None:
    assert host().first("nanobot_resolve_secret", scheme="keyring", ref="x") is None
    assert host().first("nanobot_no_such_hook") is None
