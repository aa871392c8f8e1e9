"""Named agents: which one answers in which chat."""

from __future__ import annotations

import json
from typing import Any

import pytest
from nanobot.errors import ConfigError
from nanobot.messages import Target
from nanobot_gateway.bindings import Agents, read

NAMES = ("peer", "guild", "team", "account", "channel", "other")


def made(*bindings: dict[str, Any], **profiles: Any) -> Agents:
    document = {
        "agents": {"profiles": {name: {} for name in NAMES} | profiles},
        "bindings": list(bindings),
        "modelPresets": {"fast": {"model": "m"}},
    }
    found = read(document, {})
    assert isinstance(found, Agents), [str(one) for one in found]
    return found


ALL = [  # the least specific first: their order in the file does not matter
    {"agent": "other"},
    {"agent": "channel", "match": {"channel": "discord"}},
    {"agent": "account", "match": {"channel": "discord", "account": "work"}},
    {"agent": "team", "match": {"team": "t1"}},
    {"agent": "guild", "match": {"guild": "g1", "channel": "discord"}},
    {"agent": "peer", "match": {"peer": "42"}},
]


@pytest.mark.parametrize(
    ("target", "sender", "places", "who"),
    [
        (Target(channel="discord", account="work", chat="42"), "", ("g1", "t1"), "peer"),
        (Target(channel="email", chat="a@b"), "42", (), "peer"),
        (Target(channel="discord", account="work", chat="7"), "9", ("g1", "t1"), "guild"),
        (Target(channel="slack", chat="7"), "9", ("g1", "t1"), "team"),
        (Target(channel="discord", account="work", chat="7"), "9", (), "account"),
        (Target(channel="discord", chat="7"), "9", (), "channel"),
        (Target(channel="email", chat="7"), "9", (), "other"),
    ],
)
def test_the_most_specific_binding_wins(
    target: Target, sender: str, places: tuple[str, ...], who: str
) -> None:
    for bindings in (ALL, ALL[::-1]):
        found = made(*bindings).chosen(target, sender, places)
        assert found is not None and found.name == who


def test_of_two_alike_the_first_wins_and_none_means_the_usual_agent() -> None:
    agents = made(
        {"agent": "peer", "match": {"channel": "discord"}},
        {"agent": "team", "match": {"channel": "discord"}},
    )
    found = agents.chosen(Target(channel="discord", chat="1"))
    assert found is not None and found.name == "peer"
    assert agents.chosen(Target(channel="slack", chat="1")) is None


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"bindings": {"agent": "x"}}, "bindings: should be a list, found an object"),
        ({"agents": {"profiles": 3}}, "agents.profiles: should be an object, found an integer"),
        (
            {"agents": {"profiles": {"clerk": {}}}, "bindings": [{"agent": "clrek"}]},
            "bindings[0].agent: names an agent that agents.profiles does not define; "
            "did you mean clerk?",
        ),
        (
            {
                "agents": {"profiles": {"clerk": {"modelPreset": "fst"}}},
                "modelPresets": {"fast": {}},
            },
            "agents.profiles.clerk.modelPreset: names a preset that modelPresets does not "
            "define; did you mean fast?",
        ),
        ({"bindings": [{"match": {}}]}, "bindings[0].agent: is required"),
        (
            {"agents": {"profiles": {"a": {"tool": []}}}},
            "agents.profiles.a.tool: unknown key; did you mean tools?",
        ),
        (
            {"agents": {"profiles": {"a": {"instructions": "${NOPE}"}}}},
            "agents.profiles.a.instructions: the environment variable NOPE is not set",
        ),
    ],
)
def test_what_is_wrong_is_said(document: dict[str, Any], said: str) -> None:
    found = read(document, {})
    assert isinstance(found, tuple)
    assert str(found[0]).startswith(said)


def test_a_bound_chat_has_its_agents_prompt_tools_and_limit(bench: Any) -> None:
    bench.shop.config["agents"]["profiles"] = {
        "clerk": {"instructions": "You are the clerk.", "tools": ["none_such"]}
    }
    bench.shop.config["bindings"] = [{"agent": "clerk", "match": {"peer": "u2"}}]
    bench.model.says("as usual").says("as the clerk")

    async def work(gateway: Any) -> None:
        await bench.phone.says("hi", user="u1")
        await bench.phone.hears(1)
        await bench.phone.says("hi", user="u2")
        await bench.phone.hears(2)

    bench.run(work)
    usual, clerk = bench.model.requests
    assert "clerk" not in "".join(part.text for part in usual.system)
    assert clerk.system[-1].text == "You are the clerk."


def test_a_turn_that_goes_on_after_a_restart_has_the_same_agent(bench: Any) -> None:
    bench.shop.config["agents"]["profiles"] = {"clerk": {"instructions": "You are the clerk."}}
    bench.shop.config["bindings"] = [{"agent": "clerk"}]
    bench.model.hangs()

    async def begin(gateway: Any) -> None:
        await bench.phone.says("hi")
        await bench.model.waiting.wait()
        await gateway.drain(0)

    async def go_on(gateway: Any) -> None:
        await bench.phone.hears(1)

    bench.run(begin)
    bench.model.says("done")
    bench.run(go_on)
    assert bench.model.requests[-1].system[-1].text == "You are the clerk."


def test_a_configuration_with_a_wrong_binding_is_refused_as_a_whole(bench: Any) -> None:
    from nanobot.admin import load

    async def work(gateway: Any) -> None:
        path = bench.write()
        document = json.loads(path.read_text())
        document["bindings"] = [{"agent": "nobody"}]
        document["channels"]["phone"]["allowFrom"] = ["u9"]
        path.write_text(json.dumps(document))
        first = bench.phone
        with pytest.raises(ConfigError, match=r"bindings\[0\].agent"):
            await gateway.reload(load(path))
        assert bench.phone is first

    bench.run(work)
