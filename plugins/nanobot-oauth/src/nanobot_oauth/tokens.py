"""What an issuer gives out, and the private file that keeps it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nanobot.log import remember_secret
from nanobot.paths import write_private

from nanobot_oauth.specs import Login

FILE = "login.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """The tokens of one login.

    Args:
        access: What is sent with requests.
        refresh: What buys new tokens, empty when the issuer gave none.
        identity: The id token, which says whose login it is; empty when there is none.
        expires_at: Seconds since the epoch by this machine's clock, None for never.
    """

    access: str = field(repr=False)
    refresh: str = field(default="", repr=False)
    identity: str = field(default="", repr=False)
    expires_at: float | None = None

    def lasts_beyond(self, moment: float) -> bool:
        """Tell whether the access token is good at a moment, in seconds since the epoch."""
        return self.expires_at is None or self.expires_at > moment


class TokenStore:
    """The file that keeps the tokens of one provider, mode 0600.

    Tokens are bound to the issuer and the client that gave them, so that those of one issuer are
    never sent to another one.

    Args:
        folder: The provider's own data folder.
        login: The login that the tokens are of.
    """

    def __init__(self, folder: Path, login: Login) -> None:
        self.path = folder / FILE
        self._owner = {"issuer": login.issuer, "client": login.client_id}

    def load(self) -> Tokens | None:
        """Return the tokens; None when there are none of this login, or the file is damaged.

        Raises:
            OSError: The file can not be read.
        """
        try:
            data = json.loads(self.path.read_bytes())
            tokens = Tokens(**data["tokens"])
            if data["owner"] != self._owner:
                return None
        except (FileNotFoundError, ValueError, LookupError, TypeError):
            return None
        if self.path.stat().st_mode & 0o077:
            self.path.chmod(0o600)
        _remember(tokens)
        return tokens

    def save(self, tokens: Tokens) -> None:
        """Replace the tokens in one step; raises OSError when they can not be written."""
        _remember(tokens)
        text = json.dumps({"owner": self._owner, "tokens": asdict(tokens)})
        write_private(self.path, text.encode())

    def delete(self) -> bool:
        """Forget the tokens, of whichever login; tell whether there were any."""
        found = self.path.exists()
        self.path.unlink(missing_ok=True)
        return found


def claims(token: str) -> Mapping[str, Any]:
    """Return what a JSON web token says of its owner; empty when it is none.

    Its signature is not checked: it came from the issuer itself, over TLS.
    """
    try:
        payload = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (LookupError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _remember(tokens: Tokens) -> None:
    for secret in (tokens.access, tokens.refresh, tokens.identity):
        remember_secret(secret)
