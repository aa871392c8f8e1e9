"""What the agent knows of itself, what it may keep, and who sees it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nanobot.messages import Trust
from nanobot_testing.lab import call


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth - 1):
        value = [value]
    return value


def test_all_is_shown_without_a_key(my: Any) -> None:
    my("set", "plan", value=["one"])
    facts, notes = my("check").parts
    assert facts.trust is Trust.TRUSTED
    assert facts.text.splitlines()[:3] == ["model: m-1", "max_iterations: 20", "max_tokens: 9"]
    assert "request.sender_id: alice" in facts.text.splitlines()
    assert (notes.text, notes.trust) == ('scratchpad: {"plan": ["one"]}', Trust.UNTRUSTED)


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("model", "m-1"),
        ("request.channel", "test"),
        ("request.chat_id", "alice"),
        ("request.role", "user"),
        ("scratchpad.plan.steps.1", '"go"'),
        ("plan", '{"steps": ["pack", "go"]}'),
        ("scratchpad.a.b", "7"),
    ],
)
def test_a_key_shows_one_thing(my: Any, key: str, shown: str) -> None:
    my("set", "scratchpad.plan", value={"steps": ["pack", "go"]})
    my("set", "a.b", value=7)
    assert my("check", key).text == shown


@pytest.mark.parametrize("key", ["modle", "scratchpad.plam", "scratchpad.plan.5", "plan.x.y"])
def test_what_is_not_there_is_said(my: Any, key: str) -> None:
    my("set", "plan", value=[1])
    assert my("check", key).kind == "not_found"


def test_a_near_name_is_suggested(my: Any) -> None:
    assert "Did you mean model?" in my("check", "modle").text


def test_notes_belong_to_one_user_in_one_conversation(my: Any) -> None:
    my("set", "plan", value="mine")
    assert my("check", "plan").text == '"mine"'
    assert my("check", "plan", user="bob", session="test:alice").is_error
    assert my("check", "plan", session="test:other").is_error


def test_null_removes_a_note(my: Any) -> None:
    my("set", "plan", value=1)
    assert my("set", "plan", value=None).text == "Removed."
    assert my("check", "scratchpad").text == "{}"


def test_notes_are_off_unless_the_user_allows_them(my: Any) -> None:
    result = my("set", "plan", value=1, allow=False)
    assert result.kind == "not_allowed"
    assert "tools.my.allowSet" in result.text


def test_the_model_is_the_users_choice(my: Any) -> None:
    result = my("set", "model_preset", value="a")
    assert result.kind == "not_allowed"
    assert "/model NAME with one of: a, b." in result.text


@pytest.mark.parametrize("key", ["max_iterations", "request.role"])
def test_settings_are_the_users(my: Any, key: str) -> None:
    assert my("set", key, value="owner").kind == "not_allowed"


@pytest.mark.parametrize(
    "key",
    [
        "api_key",
        "apiKey",
        "x.access_token",
        "x.token",
        "refreshToken",
        "db-password",
        "auth",
        "scratchpad.secret",
    ],
)
def test_secrets_are_neither_shown_nor_kept(my: Any, desk: Any, tmp_path: Path, key: str) -> None:
    desk.known[key] = "sk-123"
    assert my("check", key).kind == "not_allowed"
    assert my("set", key, value="sk-123").kind == "not_allowed"
    assert "sk-123" not in my("check").text
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize("key", ["max_tokens", "author", "keyboard"])
def test_harmless_names_are_no_secrets(my: Any, desk: Any, key: str) -> None:
    desk.known[key] = "9"
    assert my("check", key).text == "9"


def test_notes_are_bounded(my: Any) -> None:
    for n in range(64):
        assert not my("set", f"n{n}", value=n).is_error
    assert my("set", "one more", value=1).kind == "too_large"
    assert not my("set", "n0", value="changed").is_error
    assert my("set", "n0", value="x" * 70_000).kind == "too_large"
    assert my("check", "n0").text == '"changed"', "nothing is lost by what is refused"


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("", 1, "bad_argument"),
        ("scratchpad", 1, "bad_argument"),
        ("x" * 65, 1, "bad_argument"),
        ("a\nb", 1, "bad_argument"),
        ("n", float("nan"), "bad_argument"),
        ("n", nested(10), ""),
        ("n", nested(11), "too_large"),
        ("n", nested(5000), "too_large"),
    ],
)
def test_nonsense_is_not_kept(my: Any, key: str, value: Any, kind: str) -> None:
    assert my("set", key, value=value).kind == kind


def test_an_action_that_is_none_is_told(my: Any) -> None:
    assert my("look").kind == "bad_argument"


def test_a_damaged_file_is_no_notes(my: Any, tmp_path: Path) -> None:
    my("set", "plan", value=1)
    (path,) = tmp_path.rglob("*.json")
    assert path.stat().st_mode & 0o777 == 0o600
    for damage in (b"\xff", b"[]", b'{"notes": 3}'):
        path.write_bytes(damage)
        assert my("check", "scratchpad").text == "{}"


def test_notes_outlive_the_gateway(chats: Any) -> None:
    chats.shop.config["tools"] = {"my": {"allowSet": True}}
    kept = json.dumps({"action": "set", "key": "plan", "value": "lunch"})
    chats.model.calls(call("my", kept)).says("Kept.")
    chats.model.calls(call("my", '{"action": "check"}')).says("Lunch.")

    async def say(gateway: Any) -> None:
        await chats.phone.says("go on", user="bob")
        await chats.phone.hears(1)

    chats.run(say)
    chats.run(say)
    shown = chats.results()[-1].text.splitlines()
    assert {"model: m-1", "request.sender_id: bob", 'scratchpad: {"plan": "lunch"}'} <= set(shown)
