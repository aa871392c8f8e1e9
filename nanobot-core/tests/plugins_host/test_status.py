"""The state of each plugin, from metadata and the user's wishes, without an import."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nanobot._plugins.catalog import Catalog, Entry
from nanobot._plugins.status import State, Status, Verdicts, judge, policy

IDS = ("providers.azure_openai", "tools.exec", "tools.web")


def states(
    entry: Callable[..., Entry],
    document: dict[str, Any] | None = None,
    environ: dict[str, str] | None = None,
    entries: tuple[Entry, ...] = (),
    verdicts: Verdicts | None = None,
) -> dict[str, Status]:
    """Return what becomes of three plugins, or the given ones, by id and distribution."""
    found = entries or tuple(entry(id, "module") for id in IDS)
    judged = judge(
        Catalog(plugins=found, commands={}), policy(document or {}, environ or {}), verdicts
    )
    return {f"{one.entry.id}@{one.entry.distribution}": one for one in judged}


def usable(found: dict[str, Status]) -> list[str]:
    return [key.partition("@")[0] for key, status in found.items() if status.state.usable]


def test_everything_installed_is_wanted(entry: Any) -> None:
    assert usable(states(entry)) == list(IDS)
    assert {one.state for one in states(entry).values()} == {State.AVAILABLE}


@pytest.mark.parametrize("id", ["providers.azure_openai", "providers.azureOpenai", " tools.web "])
def test_a_plugin_is_switched_off_by_its_id(entry: Any, id: str) -> None:
    found = states(entry, {"plugins": {"disabled": [id]}})
    assert len(usable(found)) == 2
    (off,) = [one for one in found.values() if not one.state.usable]
    assert (off.state, off.reason) == (State.DISABLED, "listed in plugins.disabled")


@pytest.mark.parametrize("key", ["azureOpenai", "azure_openai"])
@pytest.mark.parametrize("word", ["enabled", "enable"])
def test_a_plugin_is_switched_off_by_its_section(entry: Any, key: str, word: str) -> None:
    found = states(entry, {"providers": {key: {word: False}}, "tools": {"exec": {word: True}}})
    assert usable(found) == ["tools.exec", "tools.web"]
    (off,) = [one for one in found.values() if not one.state.usable]
    assert off.reason == "providers.azureOpenai.enabled is false"


def test_with_a_list_only_what_is_on_it(entry: Any) -> None:
    document = {"plugins": {"mode": "allowlist", "allow": ["tools.exec"]}}
    assert usable(states(entry, document)) == ["tools.exec"]
    assert states(entry, document)["tools.web@nanobot-web"].reason == "not listed in plugins.allow"
    document["plugins"]["mode"] = "all"
    assert usable(states(entry, document)) == list(IDS)
    assert usable(states(entry, {"plugins": {"mode": "allowlist"}})) == []


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ("none", []),
        ("tools.exec", ["tools.exec"]),
        (" tools.exec , providers.azureOpenai ", ["providers.azure_openai", "tools.exec"]),
        ("", list(IDS)),
        ("  ", list(IDS)),
        ("nonsense", []),
    ],
)
def test_the_environment_has_the_last_word(entry: Any, value: str, left: list[str]) -> None:
    document = {"plugins": {"mode": "allowlist", "allow": ["tools.web"]}} if value.strip() else {}
    found = states(entry, document, {"NANOBOT_PLUGINS": value})
    assert usable(found) == left
    if value == "none":
        assert "NANOBOT_PLUGINS" in found["tools.web@nanobot-web"].reason


def test_the_environment_does_not_switch_on_what_is_off(entry: Any) -> None:
    document = {"plugins": {"disabled": ["tools.exec"]}}
    assert usable(states(entry, document, {"NANOBOT_PLUGINS": "tools.exec,tools.web"})) == [
        "tools.web"
    ]


def test_two_distributions_with_one_id_are_in_conflict(entry: Any) -> None:
    entries = (
        entry("tools.web", "one", distribution="one"),
        entry("tools.web", "two", distribution="two"),
    )
    found = states(entry, entries=entries)
    assert {one.state for one in found.values()} == {State.CONFLICT}
    reason = found["tools.web@one"].reason
    assert "one and two both provide tools.web" in reason and "plugins.prefer" in reason

    chosen = states(entry, {"plugins": {"prefer": {"tools.web": "two"}}}, entries=entries)
    assert chosen["tools.web@two"].state is State.AVAILABLE
    assert chosen["tools.web@one"].state is State.DISABLED
    assert "takes it from two" in chosen["tools.web@one"].reason

    wrong = states(entry, {"plugins": {"prefer": {"tools.web": "three"}}}, entries=entries)
    assert {one.state for one in wrong.values()} == {State.CONFLICT}


def test_a_misfit_is_incompatible(entry: Any) -> None:
    entries = (
        entry("tools.old", "m", api=0),
        entry("tools.new", "m", requires=">=99"),
        entry("tools.fits", "m", requires=">=0.1,<0.2"),
    )
    found = states(entry, entries=entries)
    assert [str(one.state) for one in found.values()] == [
        "incompatible",
        "incompatible",
        "available",
    ]
    assert all("pip install --upgrade" in one.reason for one in list(found.values())[:2])


@pytest.mark.parametrize(
    "document",
    [
        {"plugins": "all"},
        {"plugins": {"disabled": "tools.exec", "allow": 3, "prefer": []}},
        {"plugins": {"disabled": [1, None, {}]}},
        {"tools": ["exec"], "providers": None},
        {"tools": {"exec": False, "web": [1]}},
        {"tools": {"exec": {"enabled": "false"}}},
    ],
)
def test_values_of_a_wrong_type_are_passed_over(entry: Any, document: dict[str, Any]) -> None:
    assert usable(states(entry, document)) == list(IDS)


# --- verdicts ----------------------------------------------------------------------------------


def test_a_verdict_is_kept_until_the_version_changes(entry: Any, tmp_path: Path) -> None:
    path = tmp_path / "data" / "plugins.json"
    bad = entry("tools.web", "m")
    verdicts = Verdicts(path)
    assert verdicts.get(bad) is None
    verdicts.put(Status(entry=bad, state=State.BROKEN, reason="SyntaxError"))
    verdicts.save()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    again = Verdicts(path)
    assert again.get(bad) == Status(entry=bad, state=State.BROKEN, reason="SyntaxError")
    found = states(entry, entries=(bad, entry("tools.exec", "m")), verdicts=again)
    assert [one.state for one in found.values()] == [State.BROKEN, State.AVAILABLE]
    assert again.get(entry("tools.web", "m", version="2.0")) is None
    assert again.get(entry("tools.web", "m", distribution="other")) is None


def test_a_plugin_that_works_again_needs_no_verdict(entry: Any, tmp_path: Path) -> None:
    path = tmp_path / "plugins.json"
    bad = entry("tools.web", "m")
    for state in (State.FAILED, State.LOADED):
        verdicts = Verdicts(path)
        verdicts.put(Status(entry=bad, state=state, reason="x"))
        verdicts.save()
    assert Verdicts(path).get(bad) is None and json.loads(path.read_text()) == {}


def test_nothing_new_is_not_written(entry: Any, tmp_path: Path) -> None:
    path = tmp_path / "plugins.json"
    verdicts = Verdicts(path)
    verdicts.put(Status(entry=entry("tools.web", "m"), state=State.LOADED))
    verdicts.save()
    assert not path.exists()
    verdicts.put(Status(entry=entry("tools.web", "m"), state=State.BROKEN, reason="x"))
    verdicts.save()
    path.unlink()
    verdicts.put(Status(entry=entry("tools.web", "m"), state=State.BROKEN, reason="x"))
    verdicts.save()
    assert not path.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"tools.web@nanobot-web": 5}',
        b'{"tools.web@nanobot-web": {"version": "1.0", "state": "nonsense"}}',
        b'{"tools.web@nanobot-web": {"version": 1.0, "state": "broken"}}',
        b"[" * 100_000,
    ],
)
def test_an_unreadable_file_counts_as_empty(entry: Any, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "plugins.json"
    path.write_bytes(content)
    assert Verdicts(path).get(entry("tools.web", "m")) is None


def test_a_disk_that_refuses_stops_nothing(entry: Any, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    verdicts = Verdicts(tmp_path / "data" / "plugins.json")
    verdicts.put(Status(entry=entry("tools.web", "m"), state=State.BROKEN, reason="x"))
    verdicts.save()
