"""The gateway's token: from the configuration, or made once and kept in a file of its own."""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from pathlib import Path

from nanobot.config import Secret
from nanobot.log import Logger, remember_secret
from nanobot.paths import write_private

from nanobot_service_http.config import SHORTEST_TOKEN
from nanobot_service_http.head import Head

_PREFIX = b"Bearer "


class Token:
    """Recognises callers that have the token.

    Args:
        value: The token.
    """

    def __init__(self, value: Secret) -> None:
        remember_secret(value.reveal())
        self._digest = sha256(value.reveal().encode()).digest()

    def given(self, head: Head) -> bool:
        """Tell whether a request has it: ``Authorization: Bearer ...``, spelled so, and only there.

        Raises:
            Refused: The header is there twice.
        """
        header = head.one(b"authorization")
        if header is None or not header.startswith(_PREFIX):
            return False
        return hmac.compare_digest(sha256(header.removeprefix(_PREFIX)).digest(), self._digest)


def kept_token(path: Path, log: Logger) -> Token:
    """Return the token in a file; one is made when there is none, or none that can be used."""
    try:
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
            log.warning("http_token_was_readable", file=str(path), remedy="delete it for a new one")
        value = path.read_text("ascii").strip()
    except FileNotFoundError:
        value = ""
    except (OSError, UnicodeDecodeError) as error:
        log.warning("http_token_unreadable", file=str(path), reason=type(error).__name__)
        value = ""
    if len(value) < SHORTEST_TOKEN:
        value = secrets.token_urlsafe(32)
        try:
            write_private(path, value.encode() + b"\n")
        except OSError as error:
            # The server is of use without: health needs no token, and a full disk must show there.
            log.warning("http_token_not_kept", file=str(path), reason=error.strerror or "")
    return Token(Secret(value))
