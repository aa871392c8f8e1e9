"""Answers find their thread, look the same each time, and can not be made to say more."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from nanobot import log
from nanobot_channel_email.ledger import MOST, Ledger, Note
from nanobot_channel_email.writing import Draft, compose, flat, message_id
from nanobot_testing import run

LONG = "<" + "x" * 200 + "@mail.x.org>"
NOTE = Note(id="<2@x.org>", chat="a@x.org", subject="Hello", references=("<1@x.org>",), at=1.0)
DRAFT = Draft(
    id="turn/1",
    sender="bot@example.org",
    recipient="a@x.org",
    text="**Hi**",
    at=datetime(2026, 5, 4, 12, tzinfo=UTC),
    answers=NOTE,
)


def sent(draft: Draft) -> EmailMessage:
    raw = flat(compose(draft))
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    made = message_from_bytes(raw, policy=policy.default)
    assert isinstance(made, EmailMessage)
    return made


def test_an_answer_belongs_to_its_thread() -> None:
    mail = sent(DRAFT)
    assert mail["Subject"] == "Re: Hello"
    assert mail["In-Reply-To"] == "<2@x.org>"
    assert mail["References"] == "<1@x.org> <2@x.org>"
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert (mail["From"], mail["To"]) == ("bot@example.org", "a@x.org")
    assert mail.get_content().strip() == "**Hi**"
    assert mail.get_content_type() == "text/plain"


def test_long_ids_stay_whole() -> None:
    """Folded, they would be encoded, and no mail program would find the thread."""
    raw = flat(compose(replace(DRAFT, answers=replace(NOTE, id=LONG, references=(LONG,) * 30))))
    assert b"=?" not in raw
    assert f"In-Reply-To: {LONG}\r\n".encode() in raw


def test_long_threads_keep_their_beginning_and_their_end() -> None:
    many = tuple(f"<{n}@x.org>" for n in range(100))
    ids = sent(replace(DRAFT, answers=replace(NOTE, references=many)))["References"].split()
    assert len(ids) < 30 and ids[0] == "<0@x.org>" and ids[-2:] == ["<99@x.org>", "<2@x.org>"]


def test_the_same_message_has_the_same_id() -> None:
    first, again = sent(DRAFT), sent(replace(DRAFT, at=datetime(2027, 1, 1, tzinfo=UTC)))
    assert first["Message-ID"] == again["Message-ID"] == message_id("turn/1", "bot@example.org")
    assert first["Message-ID"] != sent(replace(DRAFT, id="turn/2"))["Message-ID"]
    assert message_id("\udcff", "b@x.org").isascii()


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Hello", "Re: Hello"),
        ("Re: Hello", "Re: Hello"),
        ("RE: Hello", "RE: Hello"),
        ("AW: Hallo", "AW: Hallo"),
        ("Re[2]: Hello", "Re[2]: Hello"),
        ("", "Re:"),
        ("Reading list", "Re: Reading list"),
    ],
)
def test_subjects_of_answers(subject: str, expected: str) -> None:
    assert sent(replace(DRAFT, answers=replace(NOTE, subject=subject)))["Subject"] == expected


def test_what_is_sent_unasked_has_a_subject_and_says_so() -> None:
    mail = sent(replace(DRAFT, answers=None, automatic=False, text="\n# Water the *plants*\nnow"))
    assert mail["Subject"] == "Water the *plants*"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "In-Reply-To" not in mail and "References" not in mail
    assert sent(replace(DRAFT, answers=None, text=""))["Subject"] == "Message"


def test_mail_without_an_id_is_answered_without_naming_it() -> None:
    mail = sent(replace(DRAFT, answers=replace(NOTE, id="INBOX:1:2")))
    assert "In-Reply-To" not in mail and mail["Subject"] == "Re: Hello"


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\x0b", "\x85", "\u2028", "\x00"])
def test_no_text_becomes_a_header(end: str) -> None:
    evil = f"x{end}Bcc: victim@x.org"
    for draft in (
        replace(DRAFT, answers=replace(NOTE, subject=evil)),
        replace(DRAFT, answers=None, text=evil),
        replace(DRAFT, files=((evil, b"data"),)),
        replace(DRAFT, subject_prefix="Re: ", text=evil),
    ):
        raw = flat(compose(draft))
        head = raw.partition(b"\r\n\r\n")[0]
        assert b"\nBcc" not in head and b"\rBcc" not in head
        made = message_from_bytes(raw, policy=policy.default)
        assert made["Bcc"] is None
        assert all(part["Bcc"] is None for part in made.walk())


def test_any_text_can_be_sent() -> None:
    text = "Grüße 世界 👋\r\n.\r\n..\r\nFrom here\r\n" + "x" * 5000 + "\ud800\x00"
    body = sent(replace(DRAFT, text=text)).get_content().replace("\r\n", "\n")
    assert "世界 👋\n.\n..\nFrom here\n" in body and "x" * 5000 + "?" in body


def test_files_are_attached() -> None:
    mail = sent(replace(DRAFT, files=(("Bericht äöü.pdf", b"%PDF"), ("x", b"\x00\xff"))))
    first, second = mail.iter_attachments()
    assert first.get_filename() == "Bericht äöü.pdf"
    assert first.get_content_type() == "application/pdf" and first.get_content() == b"%PDF"
    assert second.get_content_type() == "application/octet-stream"
    assert second.get_content() == b"\x00\xff"


def test_notes_outlive_the_process(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "threads.json"
    ledger = Ledger(path, log.get())
    ledger.add(NOTE)
    run(ledger.save())
    again = Ledger(path, log.get())
    assert again.find("a@x.org", "", "<2@x.org>") == NOTE == again.find("a@x.org", "")
    assert again.find("b@x.org", "", "<2@x.org>") is None
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "{", "{}", "[1]", '[{"id": 1}]', "null"])
def test_damaged_notes_are_begun_anew(tmp_path: Path, content: str) -> None:
    path = tmp_path / "threads.json"
    path.write_text(content)
    ledger = Ledger(path, log.get())
    assert ledger.find("a@x.org", "") is None
    ledger.add(NOTE)
    run(ledger.save())
    assert Ledger(path, log.get()).knows(NOTE)


def test_notes_do_not_grow_without_end(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "threads.json", log.get())
    for n in range(MOST + 5):
        ledger.add(replace(NOTE, id=f"<{n}@x.org>"))
    assert not ledger.knows(replace(NOTE, id="<4@x.org>"))
    assert ledger.knows(replace(NOTE, id="<5@x.org>"))


def test_who_writes_too_much_must_wait(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "threads.json", log.get())
    times: list[Any] = [100.0, 200.0, 300.0]
    for at in times:
        ledger.add(replace(NOTE, id=f"<{at}@x.org>", at=at))
    assert ledger.rest("a@x.org", 3, 300.0) == 3400.0
    assert ledger.rest("a@x.org", 4, 300.0) == 0.0
    assert ledger.rest("a@x.org", 3, 3700.1) == 0.0
    assert ledger.rest("b@x.org", 1, 300.0) == 0.0
