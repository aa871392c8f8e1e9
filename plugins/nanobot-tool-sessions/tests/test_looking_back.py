"""What is found, for whom, and in how small pieces."""

from __future__ import annotations

from typing import Any

import pytest
from nanobot.desk import NoDesk
from nanobot.messages import Role, Trust
from nanobot_testing.lab import call


def test_sessions_are_listed_newest_first(look: Any, desk: Any) -> None:
    desk.holds("mail:alice", "Hello.").holds("test:alice", "One?", "Two.", "Three?", "x" * 300)
    result = look("list_sessions")
    assert result.parts[0].trust is Trust.UNTRUSTED
    assert result.text.splitlines() == [
        f"test:alice (2 turns, 2026-01-02 01:00, this one): {'x' * 120} …",
        "mail:alice (1 turn, 2026-01-02 00:00): Hello.",
    ]
    assert look("list_sessions", limit=1).text.endswith("(1 older ones are not shown.)")


def test_there_may_be_none(look: Any) -> None:
    assert look("list_sessions").text == "There are no earlier conversations."
    assert look("search_sessions", query="x").text == "Nothing was found."


def test_others_are_not_there_but_for_owners(look: Any, desk: Any) -> None:
    desk.holds("mail:bob", "my secret", users=("bob",))
    for role, seen in ((Role.USER, False), (Role.OWNER, True)):
        assert ("mail:bob" in look("list_sessions", role=role).text) is seen
        assert ("secret" in look("search_sessions", query="secret", role=role).text) is seen
        assert look("read_session", session_key="mail:bob", role=role).is_error is not seen


def test_a_search_wants_all_words_in_one_message(look: Any, desk: Any) -> None:
    desk.holds("a", "The Red fox", "the blue fox", "red")
    assert look("search_sessions", query="FOX red").text == "a [1] user: The Red fox"
    assert look("search_sessions", query="wolf").text == "Nothing was found."


def test_an_excerpt_is_around_the_word(look: Any, desk: Any) -> None:
    desk.holds("a", "x" * 5000 + " needle " + "y" * 5000)
    text = look("search_sessions", query="needle").text
    assert "needle" in text
    assert len(text) < 400


def test_a_search_is_bounded_and_says_so(look: Any, desk: Any) -> None:
    for n in range(8):
        desk.holds(f"s{n}", f"the word {n}")
    lines = look("search_sessions", query="word").text.splitlines()
    assert [line.split()[0] for line in lines[:5]] == ["s7", "s6", "s5", "s4", "s3"]
    assert lines[5:] == ["(There may be more; search for more words.)"]
    nothing = look("search_sessions", query="word 0", searchDepth=3).text
    assert nothing == "Nothing was found. (5 older conversations were not searched.)"


def test_a_session_is_read_in_pages(look: Any, desk: Any) -> None:
    desk.holds("a", *(f"message {n}" for n in range(1, 21)))
    last = look("read_session", session_key="@a")
    assert last.parts[0].trust is Trust.UNTRUSTED
    assert last.text.startswith("(Earlier ones: call again with before=13.)\n\n[13] user: message")
    assert last.text.endswith("[20] assistant: message 20")
    assert look("read_session", session_key="a", before=3).text == (
        "[1] user: message 1\n\n[2] assistant: message 2"
    )
    matching = look("read_session", session_key="a", query="message 19").text
    assert matching == "[19] user: message 19"
    assert look("read_session", session_key="a", query="bird").text == "There are no such messages."


def test_a_long_message_is_cut(look: Any, desk: Any) -> None:
    desk.holds("a", "x" * 9000)
    assert len(look("read_session", session_key="a").text) < 4100


def test_an_empty_session_is_said(look: Any, desk: Any) -> None:
    desk.holds("a")
    assert look("read_session", session_key="a").text == "Nothing was said there."


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("list_sessions", {"limit": 0}),
        ("list_sessions", {"limit": "many"}),
        ("search_sessions", {}),
        ("search_sessions", {"query": " "}),
        ("search_sessions", {"query": "x" * 501}),
        ("read_session", {}),
        ("read_session", {"session_key": "a", "before": -1}),
    ],
)
def test_nonsense_is_told(look: Any, desk: Any, name: str, given: dict[str, Any]) -> None:
    desk.holds("a", "Hello.")
    assert look(name, **given).kind == "bad_argument"


def test_a_host_without_an_archive_is_told(look: Any) -> None:
    assert look("list_sessions", on=NoDesk()).kind == "unavailable"


def test_looking_back_in_a_real_gateway(chats: Any) -> None:
    model = chats.model.says("Noted.")
    model.calls(call("search_sessions", '{"query": "pin"}')).says("I do not know it.")
    model.calls(call("read_session", '{"session_key": "phone:bob"}')).says("It is 1234.")

    async def go(gateway: Any) -> None:
        await chats.phone.says("my pin is 1234", user="bob")
        await chats.phone.hears(1)
        await chats.phone.says("what is Bob's p-i-n?", user="carol")
        await chats.phone.hears(2)
        assert chats.results()[-1].text.endswith("\nNothing was found.")
        await chats.phone.says("what was it?", user="bob")
        await chats.phone.hears(3)
        assert "\n[1] user: my pin is 1234\n\n[2] assistant" in chats.results()[-1].text

    chats.run(go)
