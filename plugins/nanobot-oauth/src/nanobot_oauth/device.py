"""Signing in with a code that is entered on another page (RFC 8628)."""

from __future__ import annotations

from nanobot.errors import MalformedAnswer, OverloadError, TransportError

from nanobot_oauth.issuer import Issuer, Refused
from nanobot_oauth.screen import Screen
from nanobot_oauth.tokens import Tokens

_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_INTERVAL_S = 5.0
_SLOWER_S = 5.0  # RFC 8628, section 3.5
_LIFETIME_S = 900.0


async def sign_in_by_device(issuer: Issuer, screen: Screen) -> Tokens:
    """Show a code, and wait until the user has entered it.

    Raises:
        Refused: The user declined, or was too late.
        ProviderError: The issuer could not be asked.
    """
    said = await issuer.post(issuer.login.device_path, scope=" ".join(issuer.login.scopes))
    code, shown = said.get("device_code"), said.get("user_code")
    page = said.get("verification_uri_complete") or said.get("verification_uri")
    if not isinstance(code, str) or not isinstance(shown, str) or not isinstance(page, str):
        raise MalformedAnswer(
            f"The issuer of provider {issuer.provider}'s login sent no code",
            provider=issuer.provider,
            remedy="Try again.",
        )
    interval = _seconds(said.get("interval"), _INTERVAL_S)
    deadline = issuer.clock.monotonic() + _seconds(said.get("expires_in"), _LIFETIME_S)
    screen.show(page, code=shown)
    while True:
        await issuer.clock.sleep(interval)
        if issuer.clock.monotonic() >= deadline:
            raise issuer.refused("expired_token")
        try:
            return await issuer.token(_GRANT, device_code=code)
        except Refused as answer:
            if answer.code == "slow_down":
                interval += _SLOWER_S
            elif answer.code != "authorization_pending":
                raise
        except (TransportError, OverloadError):
            interval += _SLOWER_S  # RFC 8628, section 3.5: ask less often after a timeout


def _seconds(value: object, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) and value > 0 else otherwise
