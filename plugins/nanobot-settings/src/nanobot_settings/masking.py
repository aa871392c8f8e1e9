"""Secrets that must not be shown: the ones that are known, and what looks like one."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

MASK = "***"

_NAME = (
    r"(?:token(?!s?\\*[\"']?\s*[=:]\s*\d{1,7}\b)|secret|passw(?:or)?d|passphrase|pwd|authorization|"
    r"(?:api|access|account|private|signing)[_-]?key|signature|credential)(?:[_-]?key)?s?"
)
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?s)(?P<keep>-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----).*?(?=-----END|\Z)",
        r"(?P<keep>\b(?:bearer|basic)\s+)(?=\S*(?-i:[A-Z0-9=]))[a-z0-9._~+/=-]{6,}",
        r"(?P<keep>\b(?:set-)?cookie\\*[\"']?\s*[:=]\s*)(?!\\*[\"']?\*\*\*)[^\n]+",
        # A name and a value: name=value, "name": "value", \"name\":\"value\", name%3Dvalue.
        rf"(?P<keep>{_NAME}\\*[\"']?\s*(?:=|:|%3[ad])\s*(?P<quote>\\*[\"'])?)"
        r"(?!\*\*\*|(?:bearer|basic)\b)(?(quote)(?:(?!(?P=quote))[^\n])+|[^\s\"'&,;}\]]+)",
        rf"(?P<keep>(?<![\w-])--[a-z-]*{_NAME}\s+)(?!\*\*\*)\S+",
        r"(?P<keep>[?&](?:key|sig|auth|code|jwt|sid)=)(?!\*\*\*)[^&\s\"'#]+",
        r"(?P<keep>\b(?:key|token|secret) provided: ?)(?!\*\*\*)\S+",
        r"(?P<keep>://)(?:[^/?#\s@:]+|[^/\s:@]*:[^/\s@]+)(?=@)",
        r"(?P<keep>\bbot)\d{5,}:[\w-]+",
        r"(?P<keep>hooks\.slack\.com/services/|/api/webhooks/\d+/|/bot/v2/hook/)[\w/-]+",
        r"(?P<keep>\bpairing code(?: is)?:?\s+)\S+",
        r"(?P<keep>\b(?:pairing|approve)\b[^\n]{0,40}?)\b(?-i:[A-Z0-9]{4}-[A-Z0-9]{4})\b",
        r"(?P<keep>)\b(?:(?:sk|pk|rk|xai|pplx|tvly|sess|nvapi|glpat|xox[a-z]|xapp)-[\w-]{6,}|"
        r"(?:gh[pousr]|github_pat|hf|gsk|npm|whsec|dop_v1|[spr]k_(?:live|test))_\w{8,}|"
        r"(?:AIza|ya29\.|AKIA|ASIA|AGE-SECRET-KEY-1)[\w-]{8,}|SG\.[\w-]{8,}\.[\w-]+|"
        r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]*|\d{8,10}:[\w-]{30,}|[MNO][\w-]{23,25}\.[\w-]{6}\.[\w-]{27,})",
    )
)
_SECRET_KEY = re.compile(rf"(?:{_NAME}|cookie)\Z", re.IGNORECASE)

_known: list[str] = []  # longest first, so that no part of one is left by another


def remember_secret(value: str) -> None:
    """Mask a value from now on, wherever it would be logged or shown in an error.

    Args:
        value: The secret text; shorter than six characters is too common to mask.
    """
    for form in (value, quote(value, safe="")):
        if len(value) >= 6 and form not in _known:
            _known.append(form)
    _known.sort(key=len, reverse=True)


def redact(text: str) -> str:
    """Return the text with known secrets, and what looks like one, replaced by ``***``."""
    for secret in _known:
        if secret in text:
            text = text.replace(secret, MASK)
    for pattern in _PATTERNS:
        text = pattern.sub(lambda found: found["keep"] + MASK, text)
    return text


def _redact_value(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: redact_item(key, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redact_value(item) for item in value]
    if isinstance(value, int | float | bool | None):
        return value
    return redact(str(value))


def redact_item(key: Any, value: Any) -> Any:
    """Return a value with its secrets masked; all of it where its key says that it is one."""
    if isinstance(key, str) and isinstance(value, str | bytes) and _SECRET_KEY.search(key):
        return MASK
    return _redact_value(value)
