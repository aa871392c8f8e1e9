"""Tells which addresses must not be shown to a third party."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from nanobot.log import redact

_NAMES = re.compile(
    r"(?i)(?:^|[-_.])(?:x-amz-.*|x-goog-.*|(?:access|api|auth|id|refresh|session|share|signed)?"
    r"[-_]?(?:token|key|secret|sig|signature|auth|authorization|password|passwd|pwd|credentials?|"
    r"code|jwt|sid|session|sessionid|ticket|otp|nonce|hmac|hash|sas|invite|awsaccesskeyid|policy))$"
)
_OPAQUE = re.compile(r"(?=[^/]*[0-9])(?=[^/]*[A-Za-z])[A-Za-z0-9_=+.~-]{24,}")


def is_private(url: str) -> bool:
    """Tell whether an address carries a secret, or looks as if it did.

    That is a user name, a parameter with a telling name, what the log would mask, and long opaque
    words such as those of share links. Words of a title joined by hyphens are not opaque.
    """
    parts = urlsplit(url)
    if "@" in parts.netloc or redact(url) != url:
        return True
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if _NAMES.search(name) or _is_opaque(value):
            return True
    return any(_is_opaque(segment) for segment in parts.path.split("/"))


def _is_opaque(word: str) -> bool:
    return bool(_OPAQUE.fullmatch(word)) and max(map(len, re.split(r"[-_.+~]", word))) >= 16
