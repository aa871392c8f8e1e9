"""Who wrote a mail: one address in From, and what the receiving server found out about it.

From is what the author claims. A server that verifies mail writes what it found into the header
Authentication-Results (RFC 8601). Only the topmost one counts, and only under the name of the
server that is trusted: further down stands what the author may have written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email import policy

_ATOM = r"[^\s@<>()\[\],;:\\\"\x00-\x20\x7f]"
_LABEL = r"[^\W_](?:[\w-]{0,62})"
ADDRESS = re.compile(rf"(?P<local>{_ATOM}{{1,64}})@(?P<domain>{_LABEL}(?:\.{_LABEL})*)")
_BRACKETED = re.compile(r".*<(?P<address>[^<>]*)>", re.DOTALL)
_BARE = re.compile(r"(?P<address>[^<>()\s]+)(?:\s*\([^<>()@]*\))?")
_RESULT = re.compile(r"\s*(?P<method>[\w-]+)\s*(?:/\s*\d+\s*)?=\s*(?P<result>[\w-]+)(?P<rest>.*)")
_PROPERTY = re.compile(r"([\w-]+)\s*\.\s*([\w-]+)\s*=\s*(\S+)")


def canonical(address: str) -> str:
    """Return an address in lower case.

    Only ASCII changes: some other letters have an ASCII letter as their lower case, and would make
    two addresses one.
    """
    return "".join(letter.lower() if letter.isascii() else letter for letter in address)


def is_address(text: str) -> bool:
    """Tell whether a text is one plain address; quoted local parts are not."""
    return bool(ADDRESS.fullmatch(text)) and len(text) <= 254 and text.isprintable()


def domain_of(address: str) -> str:
    """Return the part behind the @."""
    return address.rpartition("@")[2]


def author(values: Sequence[str]) -> str:
    """Return the one address that the From headers of a mail name, empty if there is any doubt.

    The address is read twice, by its place at the end and by the standard library's parser; a
    header that can be read in two ways names nobody.
    """
    if len(values) != 1:
        return ""
    raw = " ".join(values[0].split())
    raw = raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    found = _BRACKETED.fullmatch(raw) or _BARE.fullmatch(raw)
    address = found["address"].strip() if found else ""
    if not is_address(address):
        return ""
    try:
        header = policy.default.header_factory("From", raw)
        parsed = [each.addr_spec for each in header.addresses]
        groups = [group.display_name for group in header.groups if group.display_name]
    except Exception:  # the parser has more ways to fail than it documents
        return ""
    return canonical(address) if parsed == [address] and not groups else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Demands:
    """What must have been verified.

    Args:
        authserv_id: Name of the server that is trusted.
    """

    spf: bool
    dkim: bool
    authserv_id: str

    @property
    def any(self) -> bool:
        """Tell whether anything must have been verified."""
        return self.spf or self.dkim


@dataclass(frozen=True, kw_only=True, slots=True)
class _Result:
    method: str
    result: str
    properties: Mapping[str, str] = field(default_factory=dict)


def doubt(values: Sequence[str], address: str, demands: Demands) -> str:
    """Return why an author is not believed, empty when all that is demanded was verified.

    Args:
        values: The Authentication-Results of a mail, the topmost first.
        address: The author's.
    """
    if not demands.any:
        return ""
    server, results = _read(values[0] if values else "")
    if not server or server != canonical(demands.authserv_id):
        return f"the topmost Authentication-Results is not by {demands.authserv_id}"
    domain = domain_of(address)
    passed = [each for each in results if each.result == "pass"]
    by_policy = any(
        each.method == "dmarc" and _claims(each, "header.from") == domain for each in passed
    )
    for method, wanted, names in (
        ("spf", demands.spf, ("smtp.mailfrom", "smtp.mfrom")),
        ("dkim", demands.dkim, ("header.d", "header.i")),
    ):
        verified = [each for each in passed if each.method == method]
        aligned = any(_speaks_for(_claims(each, *names), domain) for each in verified)
        if wanted and not (verified and (aligned or by_policy)):
            return f"{method} did not pass for {domain}"
    return ""


def _claims(result: _Result, *names: str) -> str:
    """Return the domain in the first of some properties that is there."""
    value = next((result.properties[name] for name in names if name in result.properties), "")
    return domain_of(value).rstrip(".")


def _speaks_for(claim: str, domain: str) -> bool:
    """Tell whether a verified domain is the author's, or one that his lies in."""
    return claim == domain or ("." in claim and domain.endswith(f".{claim}"))


def _read(value: str) -> tuple[str, list[_Result]]:
    """Return who wrote an Authentication-Results and what it says; nothing of what is malformed."""
    text = _bare(value)
    if text is None:
        return "", []
    head, *rest = canonical(text).split(";")
    words = head.split()
    results = []
    for each in rest:
        found = _RESULT.fullmatch(each.strip())
        if found:
            properties: dict[str, str] = {}
            for kind, name, content in _PROPERTY.findall(found["rest"]):
                properties.setdefault(f"{kind}.{name}", content.strip('"'))
            results.append(
                _Result(method=found["method"], result=found["result"], properties=properties)
            )
    return (words[0].strip('"') if words else ""), results


def _bare(value: str) -> str | None:
    """Return a header without comments and with harmless quoted strings; None if it is malformed.

    What senders chose can stand in both, made to look like a result.
    """
    out: list[str] = []
    depth, quoted, escaped = 0, False, False
    for letter in value:
        if escaped:
            escaped = False
            letter = "_"
        elif letter == "\\" and (quoted or depth):
            escaped = True
            continue
        elif letter == '"' and not depth:
            quoted = not quoted
        elif quoted:
            letter = "_" if letter in "();=" or letter.isspace() else letter
        elif letter == "(":
            depth += 1
        elif letter == ")":
            if not depth:
                return None
            depth -= 1
            letter = " "
        if not depth:
            out.append(" " if letter.isspace() else letter)
    return None if depth or quoted else "".join(out)
