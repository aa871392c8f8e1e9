"""Who may write where, which files may leave, and what the model is told of it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nanobot.errors import ToolError
from nanobot.messages import Role, Target
from nanobot_testing import make_turn


def test_without_a_target_it_goes_to_the_chat_of_the_turn_thread_included(
    send: Any, desk: Any, tmp_path: Path
) -> None:
    here = Target(channel="slack", account="work", chat="C1", thread="t9")
    turn = replace(make_turn(tmp_path, role=Role.USER), target=here)
    assert send("Hello.", turn=turn, channel="slack", chat_id="C1").text == "Sent to slack.work:C1."
    assert [(n.target, n.text) for n in desk.notes] == [(here, "Hello.")]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"chat_id": "C2"}, Target(channel="slack", account="work", chat="C2")),
        ({"channel": "telegram", "chat_id": "7"}, Target(channel="telegram", chat="7")),
        (
            {"channel": "telegram.bot2", "chat_id": "7"},
            Target(channel="telegram", account="bot2", chat="7"),
        ),
    ],
)
def test_owners_reach_other_chats(
    send: Any, desk: Any, tmp_path: Path, given: dict[str, str], expected: Target
) -> None:
    here = Target(channel="slack", account="work", chat="C1", thread="t9")
    send(turn=replace(make_turn(tmp_path), target=here), **given)
    assert [note.target for note in desk.notes] == [expected]


@pytest.mark.parametrize("role", [Role.USER, Role.GUEST])
@pytest.mark.parametrize("given", [{"chat_id": "bob"}, {"channel": "mail", "chat_id": "alice"}])
def test_others_do_not(
    send: Any, desk: Any, tmp_path: Path, role: Role, given: dict[str, str]
) -> None:
    result = send(turn=make_turn(tmp_path, role=role), **given)
    assert result.kind == "not_allowed"
    assert not desk.notes


def test_a_channel_alone_is_not_enough(send: Any, desk: Any) -> None:
    result = send(channel="telegram")
    assert (result.kind, desk.notes) == ("bad_argument", [])
    assert "chat_id" in result.text


@pytest.mark.parametrize(
    ("became", "kind", "words"),
    [
        ("sent", "", "Sent to test:alice"),
        ("queued", "", "Not out yet"),
        ("sending", "", "Not out yet"),
        ("unknown", "", "may have arrived"),
        ("dead", "not_delivered", "the platform refused it"),
        ("the chat is closed", "not_delivered", "the chat is closed"),
    ],
)
def test_it_says_what_became_of_it(
    send: Any, desk: Any, became: str, kind: str, words: str
) -> None:
    desk.will(became)
    result = send()
    assert result.kind == kind
    assert words in result.text


def test_what_the_host_can_not_do_is_told(send: Any, desk: Any) -> None:
    desk.will(ToolError("Nothing can be sent here.", kind="unavailable"))
    assert send().kind == "unavailable"


def test_the_same_call_is_one_message_and_others_are_not(send: Any, desk: Any) -> None:
    for content, id in (("a", "c1"), ("a", "c1"), ("b", "c1"), ("a", "c2")):
        assert not send(content, id=id).is_error
    assert [note.text for note in desk.notes] == ["a", "b", "a"]
    assert len({note.id for note in desk.notes}) == 3


def test_files_go_with_their_absolute_paths(send: Any, desk: Any, tmp_path: Path) -> None:
    (tmp_path / "work" / "a.txt").write_text("a")
    (tmp_path / "work" / "link.txt").symlink_to("a.txt")
    result = send("", media=["a.txt", "link.txt"])
    assert result.text == "Sent to test:alice with 2 files."
    real = tmp_path / "work" / "a.txt"
    assert desk.notes[0].files == (real, real)


def test_what_the_turn_may_not_read_stays(send: Any, desk: Any, tmp_path: Path) -> None:
    secret = tmp_path / "config.json"
    secret.write_text("key")
    work = tmp_path / "work"
    (work / "link").symlink_to(secret)
    os.link(secret, work / "second")
    (work / "folder").mkdir()
    for path in ("/etc/passwd", "../config.json", "link", "second"):
        result = send(media=[path])
        assert result.kind == "outside_workspace", path
    assert send(media=["gone.txt"]).kind == "not_found"
    assert send(media=["folder"]).kind == "not_a_file"
    assert not desk.notes


def test_the_instances_own_data_stays_though_the_turn_is_not_restricted(
    send: Any, desk: Any, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "config.json").write_text("key")
    turn = make_turn(tmp_path / "work", restricted=False)
    turn = replace(turn, workspace=replace(turn.workspace, denied=(data,)))
    assert send(media=[str(data / "config.json")], turn=turn).is_error
    assert not desk.notes


def test_files_have_limits(send: Any, desk: Any, tmp_path: Path) -> None:
    with (tmp_path / "work" / "big").open("wb") as file:
        file.truncate((1 << 20) + 1)
    assert send(media=["big"], maxFileMegabytes=1).kind == "too_large"
    assert send(media=["big", "big"], maxFiles=1).kind == "bad_argument"
    assert "save what the address holds" in send(media=["https://example.org/a.png"]).text
    assert not desk.notes


@pytest.mark.parametrize(
    "given",
    [
        {"content": "  "},
        {"content": "x" * 32_001},
        {"media": "a.txt"},
        {"media": [7]},
        {"buttons": "yes"},
        {"buttons": ["yes"]},
        {"buttons": [[""]]},
        {"buttons": [["x" * 65]]},
        {"buttons": [[str(n)] for n in range(25)]},
    ],
)
def test_nonsense_sends_nothing(send: Any, desk: Any, given: dict[str, Any]) -> None:
    assert send(**{"content": "Hi.", **given}).kind == "bad_argument"
    assert not desk.notes


def test_buttons_go_along(send: Any, desk: Any) -> None:
    send("Well?", buttons=[["Yes", "No"], []])
    assert desk.notes[0].buttons == (("Yes", "No"),)
