"""Mails of every kind are read: broken ones, malicious ones, and those that people write."""

from __future__ import annotations

import base64
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from nanobot_channel_email.html_text import html_text
from nanobot_channel_email.reading import Head, own_words, read, without_signature
from nanobot_channel_email.screening import objection

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def mail(*headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join(headers).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


def part(kind: str, body: str, *headers: str) -> str:
    return "\r\n".join([f"Content-Type: {kind}", *headers, "", body])


def multipart(kind: str, *parts: str, boundary: str = "b") -> str:
    inner = "".join(f"--{boundary}\r\n{each}\r\n" for each in parts)
    return f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n{inner}--{boundary}--\r\n'


READABLE = {
    "no headers": (b"\r\nhello", "hello"),
    "nothing": (b"", ""),
    "bare line feeds": (b"Subject: x\n\nhello\nthere", "hello\nthere"),
    "no type": (mail("Subject: x", body="grüß".encode()), "grüß"),
    "latin-1 without a word": (mail("Subject: x", body="grüß".encode("latin-1")), "grüß"),
    "lying charset": (
        mail("Content-Type: text/plain; charset=ascii", body="grüß".encode()),
        "grüß",
    ),
    "wrong charset": (mail("Content-Type: text/plain; charset=utf-8", body=b"gr\xfc\xdf"), "grüß"),
    "no such charset": (mail("Content-Type: text/plain; charset=x-klingon", body=b"hi"), "hi"),
    "charset of two": (mail('Content-Type: text/plain; charset="utf-8;x"', body=b"hi"), "hi"),
    "codec, no charset": (mail("Content-Type: text/plain; charset=punycode", body=b"a-b"), "a-b"),
    "compressing codec": (mail("Content-Type: text/plain; charset=zip", body=b"hi"), "hi"),
    "utf-16": (
        mail("Content-Type: text/plain; charset=utf-16", body="世界".encode("utf-16")),
        "世界",
    ),
    "shift_jis": (
        mail("Content-Type: text/plain; charset=shift_jis", body="世界".encode("shift_jis")),
        "世界",
    ),
    "gb2312 with more": (
        mail("Content-Type: text/plain; charset=gb2312", body="镕".encode("gb18030")),
        "镕",
    ),
    "base64": (
        mail("Content-Transfer-Encoding: base64", body=base64.b64encode("世界".encode())),
        None,
    ),
    "broken base64": (
        mail("Content-Type: text/plain", "Content-Transfer-Encoding: base64", body=b"aGVsbG8=!!!x"),
        "hello",
    ),
    "no such encoding": (
        mail("Content-Type: text/plain", "Content-Transfer-Encoding: x-rot13", body=b"uryyb"),
        "uryyb",
    ),
    "quoted-printable": (
        mail(
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: quoted-printable",
            body=b"gr=C3=BC=C3=9F=\r\n=ZZ=",
        ),
        "grüß=ZZ",
    ),
    "uuencoded": (
        mail("Content-Type: text/plain", "Content-Transfer-Encoding: x-uuencode",
             body=b"begin 644 x\r\n%:&5L;&\\ \r\n \r\nend\r\n"),
        "hello",
    ),
    "NUL": (mail("Subject: x", body=b"a\x00b"), "ab"),
    "type of nonsense": (mail("Content-Type: ;;;=", body=b"hi"), "hi"),
    "type of parentheses": (
        mail("Content-Type: text/plain; charset=" + "(" * 4000, body=b"hi"),
        "hi",
    ),
    "multipart without boundary": (mail("Content-Type: multipart/mixed", body=b"hi"), None),
    "multipart without parts": (
        mail("Content-Type: multipart/mixed; boundary=b", body=b"hi"),
        None,
    ),
    "multipart without an end": (
        multipart("mixed", part("text/plain", "hi"))[: -len("--b--\r\n")].encode(),
        "hi",
    ),
    "two plain texts": (
        multipart("mixed", part("text/plain", "one"), part("text/plain", "two")).encode(),
        "one\n\ntwo",
    ),
    "plain is preferred": (
        multipart("alternative", part("text/plain", "plain"), part("text/html", "<p>x")).encode(),
        "plain",
    ),
    "empty plain is not": (
        multipart("alternative", part("text/plain", " "), part("text/html", "<p>rich")).encode(),
        "rich",
    ),
    "text and a footer": (
        multipart("mixed", part("text/html", "<p>rich"), part("text/plain", "footer")).encode(),
        "rich\n\nfooter",
    ),
    "alternative in related": (
        multipart(
            "related",
            multipart("alternative", part("text/plain", "hi"), boundary="c"),
        ).encode(),
        "hi",
    ),
    "HTML only": (mail("Content-Type: text/html", body=b"<p>a<br>b"), "a\nb"),
    "header that is no header": (b"Subject: x\r\nno colon here\r\n\r\nhi", None),
    "long header": (mail("X-Long: " + "x" * 200_000, body=b"hi"), "hi"),
    "deep": (
        b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
            for n in range(5000)
        ),
        None,
    ),
    "deep messages": (b"Content-Type: message/rfc822\r\n\r\n" * 5000, None),
    "many parts": (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        + b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n" * 20000,
        None,
    ),
    "only separators": (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n" * 50000,
        None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", READABLE)
def test_every_mail_can_be_read(name: str) -> None:
    raw, expected = READABLE[name]
    letter = read(raw, 12000)
    if expected is not None:
        assert letter.text.strip() == expected
    assert "\x00" not in letter.text
    letter.text.encode()  # holds no half characters


@pytest.mark.parametrize("name", READABLE)
def test_every_head_can_be_read(name: str) -> None:
    raw, _ = READABLE[name]
    for cut in (len(raw), 60, 1):
        head = Head(raw[:cut])
        assert isinstance(objection(head, "", ()), str)
        assert head.subject.isprintable()
        head.written(NOW)


def test_base64_without_a_type_is_decoded() -> None:
    raw = mail("Content-Transfer-Encoding: base64", body=base64.b64encode("世界".encode()))
    assert read(raw, 100).text == "世界"


def test_long_texts_are_cut_and_say_so() -> None:
    letter = read(mail("Subject: x", body=b"a" * 500), 100)
    assert letter.text.startswith("a" * 100 + "\n") and "400 more characters" in letter.text


def test_what_is_made_to_take_long_is_cut() -> None:
    bomb = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 100_000
    letter = read(bomb, 1000)
    assert not letter.whole and letter.text.startswith("x")


BOMBS = """
from nanobot_channel_email.html_text import html_text
for bomb in ("<a " * 66_000, '<a a="' * 28_000, "<!--" * 50_000, "<?" * 100_000, "</" * 100_000,
             "<div>" * 10_000, "<p style='" + "display " * 24_000, "<a href='x'>" * 16_000):
    print(len(html_text(bomb)))
"""


def test_no_markup_takes_long() -> None:
    """Some parsers need minutes for one of these."""
    command = [sys.executable, "-c", BOMBS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert len(done.stdout.split()) == 8


def test_attachments_are_found_wherever_they_are() -> None:
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n123").decode()
    raw = multipart(
        "mixed",
        multipart(
            "alternative",
            part("text/plain", "hi"),
            multipart(
                "related",
                part("text/html", "<img src=cid:1>"),
                part("image/png", png, "Content-Transfer-Encoding: base64", "Content-ID: <1>"),
                boundary="d",
            ),
            boundary="c",
        ),
        part("text/plain", "notes", 'Content-Disposition: attachment; filename="n.txt"'),
        part("text/plain; name=inline.txt", "more"),
        part("text/calendar", "BEGIN:VCALENDAR"),
        part("message/rfc822", "Subject: inner\r\n\r\nforwarded"),
        part("application/pdf", "%PDF", "Content-Disposition: attachment;"
             " filename*0*=utf-8''J%C3%BC; filename*1*=rgen.pdf"),
    )  # fmt: skip
    letter = read(raw.encode(), 1000)
    assert letter.text == "hi"
    names = [(each.name, each.media_type) for each in letter.attachments]
    assert names == [
        ("", "image/png"),
        ("n.txt", "text/plain"),
        ("inline.txt", "text/plain"),
        ("", "text/calendar"),
        ("mail.eml", "message/rfc822"),
        ("Jürgen.pdf", "application/pdf"),
    ]
    assert letter.attachments[0].data.startswith(b"\x89PNG")
    assert b"forwarded" in letter.attachments[4].data


def test_names_of_attachments_are_for_reading_only() -> None:
    raw = mail(
        "Content-Type: application/pdf",
        "Content-Disposition: attachment; filename==?utf-8?q?a=0D=0A=00=E2=80=AEb?=",
        body=b"x",
    )
    (only,) = read(raw, 100).attachments
    assert only.name.isprintable()


def test_html_becomes_what_a_person_reads() -> None:
    text = html_text(
        "<head><title>T</title><style>p{}</style></head><body onload='x()'>"
        "<p>Hi <b>you</b>,<br>see <a href='https://x.org/a'>here</a>"
        "<a href='javascript:y()'>!</a></p>"
        "<div style='DISPLAY : none'>hidden <p>too</div><p hidden>and this</p>"
        "<ul><li>one<li>two</ul><img src='http://tracker/1.gif' alt='Logo'>"
        "<script>evil()</script><!-- comment --><template>t</template>&lt;b&gt; &amp; &euro;"
    )
    assert text == ("Hi you,\nsee here (https://x.org/a)!\n\n- one\n- two\n[Logo]<b> & €")


@pytest.mark.parametrize(
    "text",
    [
        "Yes.\n\nOn Mon, 4 May 2026 at 10:00, Bob <b@x.org> wrote:\n> no?",
        "Yes.\n\nOn Monday, the fourth of May 2026, at ten o'clock,\nBob wrote:\n> no?",
        "Yes.\n> no?",
        "Yes.\n-----Original Message-----\nFrom: bob",
        "Yes.\n---------- Forwarded message ---------\nFrom: bob",
        "Yes.\n________________________________\nFrom: bob",
        "Yes.\nBegin forwarded message:\nFrom: bob",
        "Yes.\nAm 04.05.26 um 10:00 schrieb Bob:\n> no?",
    ],
)
def test_quotations_are_told_from_own_words(text: str) -> None:
    words, quoted = own_words(text)
    assert words.strip() == "Yes." and words + quoted == text


def test_signatures_end_commands() -> None:
    assert without_signature("/new\n-- \nAlice").strip() == "/new"
    assert without_signature("a -- b") == "a -- b"


def test_ids_and_threads() -> None:
    head = Head(
        mail(
            "Message-ID:  <c@x.org> (sent by me)",
            "References: <a@x.org>\r\n\t<b@x.org> junk <bad id@x> <a@x.org>",
            "In-Reply-To: Bob's <d@x.org>",
        )
    )
    assert head.id == "<c@x.org>"
    assert head.references == ("<a@x.org>", "<b@x.org>", "<d@x.org>")
    assert Head(mail("Message-ID: no id at all")).id == ""
    assert Head(mail("Message-ID: <" + "x" * 2000 + "@x>")).id == ""


@pytest.mark.parametrize(
    ("value", "subject"),
    [
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("=?utf-8?q?a=0D=0ABcc=3A_x?=", "a Bcc: x"),
        ("=?x-klingon?q?a?=", None),
        ("=?utf-8?b?!!!?=", None),
        ("plain\r\n folded", "plain folded"),
        ("gr\udcfcn", None),
    ],
)
def test_subjects_are_one_line(value: str, subject: str | None) -> None:
    read_back = Head(mail(f"Subject: {value}")).subject
    assert read_back.isprintable()
    assert subject is None or read_back == subject


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("Mon, 4 May 2026 10:00:00 +0200", True),
        ("Mon, 4 May 2026 10:00:00 -0000", True),
        ("Fri, 31 Dec 9999 23:59:59 +0000", False),
        ("Thu, 1 Jan 1970 00:00:00 +0000", False),
        ("yesterday", False),
        ("", False),
        ("Mon, 4 May 2026 99:99:99 +9999", False),
    ],
)
def test_dates_are_believed_within_reason(value: str, said: bool) -> None:
    date = Head(mail(f"Date: {value}")).written(NOW)
    assert (date is not None) == said
    assert date is None or date.tzinfo is not None


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: auto-replied",
        "auto-submitted: AUTO-GENERATED; x=y",
        "Precedence: bulk",
        "Precedence: List",
        "Precedence: junk",
        "List-Id: <l.x.org>",
        "List-Unsubscribe: <mailto:u@x.org>",
        "X-Autoreply: yes",
        "Return-Path: <>",
        "Content-Type: multipart/report; report-type=delivery-status",
    ],
)
def test_what_machines_send_is_not_answered(header: str) -> None:
    assert objection(Head(mail(header)), "a@x.org", ())


@pytest.mark.parametrize(
    "header", ["Auto-Submitted: no", "Precedence: normal", "Return-Path: <a@x.org>", "X-Mailer: x"]
)
def test_what_people_send_is(header: str) -> None:
    assert objection(Head(mail(header)), "a@x.org", {"bot@x.org"}) == ""


def test_its_own_mails_and_daemons_are_not_answered() -> None:
    assert objection(Head(b""), "bot@x.org", {"bot@x.org"})
    assert objection(Head(b""), "mailer-daemon@x.org", ())
