"""Who wrote a mail: one reading of From, and only what the trusted server found out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nanobot.messages import Text
from nanobot_channel_email.config import EmailConfig
from nanobot_channel_email.identity import Demands, author, doubt, is_address
from nanobot_gateway.access import Entry, Gate
from nanobot_gateway.channel import Incoming

CORPUS = json.loads((Path(__file__).parent / "corpora" / "allow_from.json").read_text())["items"]
BOTH = Demands(spf=True, dkim=True, authserv_id="mx.test")


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("a@x.org", "a@x.org"),
        ("A.B+tag@X.Org", "a.b+tag@x.org"),
        ("Alice <a@x.org>", "a@x.org"),
        ('"Doe, Alice" <a@x.org>', "a@x.org"),
        ("=?utf-8?q?J=C3=BCrgen?= <j@x.org>", "j@x.org"),
        ("J\udcfcrgen <j@x.org>", "j@x.org"),
        ("root@host (Cron Daemon)", "root@host"),
        ("Alice\r\n <a@x.org>", "a@x.org"),
        ('"a@x.org" <evil@y.org>', "evil@y.org"),
        ('"<a@x.org>" <evil@y.org>', "evil@y.org"),
        ("=?utf-8?q?a=40x.org?= <evil@y.org>", "evil@y.org"),
    ],
)
def test_one_author(value: str, address: str) -> None:
    assert author([value]) == address


@pytest.mark.parametrize(
    "value",
    [
        "",
        "nobody",
        "<>",
        "a@x.org, b@y.org",
        "a@x.org <evil@y.org>",
        "a@x.org)evil@y.org",
        "<a@x.org> <evil@y.org>",
        "<a@x.org>evil@y.org",
        "<evil@y.org> (a@x.org)",
        "a@x.org,(<evil@y.org>)",
        "=?utf-8?q?a=40x.org=3E?=@y.org",
        "friends: a@x.org, b@y.org;",
        "friends: a@x.org;",
        "<@relay.org:a@x.org>",
        '"a b"@x.org',
        "a@x.org\x00@y.org",
        "a@[127.0.0.1]",
        "a @ x.org",
        "a@x..org",
        "a@@x.org",
        "a@x.org; b@y.org",
        "Alice <a@x.org",
        "(" * 4000,
        '"' * 3999,
        "a" * 65 + "@x.org",
    ],
)
def test_whoever_can_be_read_in_two_ways_is_nobody(value: str) -> None:
    assert author([value]) == ""


def test_no_from_and_two_froms_name_nobody() -> None:
    assert author([]) == "" == author(["a@x.org", "a@x.org"])


def test_letters_that_only_look_alike_stay_different() -> None:
    kelvin = "\u212a@x.org"  # its lower case is an ASCII k
    assert author([kelvin]) != "k@x.org"


@pytest.mark.parametrize(
    "text", ["a@x.org\r\nBcc: b@y.org", "a@x.org\n", " a@x.org", "a@x.org ", "*", "", "u1", "<a@b>"]
)
def test_what_is_no_address(text: str) -> None:
    assert not is_address(text)


GOOD = "mx.test; spf=pass smtp.mailfrom=a@x.org; dkim=pass header.d=x.org"


@pytest.mark.parametrize(
    "value",
    [
        GOOD,
        "MX.Test 1; SPF=Pass smtp.mailfrom=X.org; DKIM=pass (2048 bit) header.d=x.org header.s=s",
        "mx.test; dkim=pass header.i=@x.org; spf=pass (x.org: ok) smtp.mailfrom=bounce@x.org",
        "mx.test; dkim=fail header.d=y.org; dkim=pass header.d=x.org; spf=pass smtp.mailfrom=x.org",
        "mx.test; spf=pass smtp.mailfrom=b.x.org; dkim=pass header.d=x.org; "
        "dmarc=pass (p=none) header.from=x.org",
        "mx.test;\r\n\tspf=pass smtp.mailfrom=a@x.org;\r\n\tdkim=pass header.d=x.org",
    ],
)
def test_what_is_verified_is_believed(value: str) -> None:
    assert doubt([value], "a@x.org", BOTH) == ""


def test_a_domain_speaks_for_what_lies_in_it() -> None:
    assert doubt([GOOD], "a@mail.x.org", BOTH) == ""


@pytest.mark.parametrize(
    "values",
    [
        [],
        [""],
        ["mx.test; none"],
        ["mx.test"],
        [GOOD.replace("mx.test", "mx.evil")],
        [GOOD.replace("mx.test", "mx.test.evil")],
        [GOOD.replace("mx.test", "")],
        ["mx.test; none", GOOD],  # further down stands what the author wrote
        [GOOD.replace("mx.test", "mx.inner"), GOOD],
        [GOOD.replace("spf=pass", "spf=softfail")],
        [GOOD.replace("dkim=pass", "dkim=fail")],
        [GOOD.replace("header.d=x.org", "header.d=y.org")],
        [GOOD.replace("header.d=x.org", "header.d=x.org.evil")],
        [GOOD.replace("header.d=x.org", "header.d=evilx.org")],
        [GOOD.replace("header.d=x.org", "header.d=org")],
        [GOOD.replace("header.d=x.org", "header.d=sub.x.org")],
        [GOOD.replace("header.d=x.org", "")],
        [GOOD.replace("a@x.org", "a@y.org")],
        ["mx.test; spf=fail (dkim=pass header.d=x.org; spf=pass smtp.mailfrom=x.org)"],
        ['mx.test; spf=fail reason="; dkim=pass header.d=x.org; spf=pass smtp.mailfrom=x.org;"'],
        ['mx.test; spf=fail reason="\\"; dkim=pass header.d=x.org; spf=pass smtp.mailfrom=x.org;"'],
        ["mx.test; spf=fail (\\); dkim=pass header.d=x.org; spf=pass smtp.mailfrom=x.org)"],
        ["mx.test; spf=pass smtp.mailfrom=x.org; dkim=pass header.d=x.org ("],
        ["mx.test; xspf=pass smtp.mailfrom=x.org; x-dkim=pass header.d=x.org"],
        ["mx.test; dmarc=pass header.from=x.org"],
        ["mx.test; spf=pass smtp.mailfrom=y.org; dkim=pass header.d=y.org; "
         "dmarc=pass header.from=y.org"],
    ],
)  # fmt: skip
def test_what_is_not_verified_is_not_believed(values: list[str]) -> None:
    assert doubt(values, "a@x.org", BOTH)


def test_only_what_is_demanded_must_be_verified() -> None:
    only_spf = "mx.test; spf=pass smtp.mailfrom=a@x.org; dkim=none"
    assert doubt([only_spf], "a@x.org", BOTH)
    assert doubt([only_spf], "a@x.org", Demands(spf=True, dkim=False, authserv_id="mx.test")) == ""
    assert doubt([], "a@x.org", Demands(spf=False, dkim=False, authserv_id="")) == ""


class NobodyPaired:
    def is_approved(self, channel: str, ids: tuple[str, ...]) -> bool:
        return False


@pytest.mark.parametrize("row", CORPUS, ids=lambda row: row["id"])
def test_the_gate_decides_by_the_address_alone(row: dict[str, Any]) -> None:
    """Every identity of the corpus, as an address of a mail."""
    given = row["input"]["sender"]
    value = given.get("header_from") or f"{given['id']}@x.org"
    listed = row["input"].get("allowFrom")
    if listed is not None:
        listed = [entry if entry == "*" or "@" in entry else f"{entry}@x.org" for entry in listed]
    config = EmailConfig.model_validate({} if listed is None else {"allowFrom": listed})
    sender = author([value])
    mail = Incoming(id="1", sender=sender, chat=sender or "nobody", parts=(Text(text="hi"),))
    # The gate asks its store for nothing else than who is paired.
    gate = Gate(NobodyPaired())  # type: ignore[arg-type]
    entry = gate.decide(mail, "email", "default", config).entry
    # An address is whole: "+4917@x.org" is not "4917@x.org".
    expected = row["expected"] if row["why"] != "phone plus sign" else "deny"
    assert (entry is Entry.ADMITTED) == expected.startswith("allow")


def test_addresses_are_listed_in_any_case() -> None:
    config = EmailConfig.model_validate(
        {"allowFrom": ["You@Example.ORG "], "owners": ["You@X.org"]}
    )
    assert config.allow_from == ("you@example.org",)
    assert config.owners == ("you@x.org",)
