"""Signs in, in whichever way."""

from __future__ import annotations

from typing import Literal

from nanobot_oauth.browser import sign_in_by_browser
from nanobot_oauth.device import sign_in_by_device
from nanobot_oauth.issuer import Issuer
from nanobot_oauth.screen import Screen
from nanobot_oauth.tokens import Tokens

Way = Literal["browser", "paste", "device"]


async def sign_in(issuer: Issuer, screen: Screen, way: Way) -> Tokens:
    """Sign in, and return the tokens; the caller stores them.

    Args:
        way: One of the login's `Login.ways`.

    Raises:
        AuthError: The user declined, or was too late.
        ProviderError: The issuer could not be asked.
        ConfigError: The port for the browser is taken.
    """
    if way == "device":
        return await sign_in_by_device(issuer, screen)
    return await sign_in_by_browser(issuer, screen, paste=way == "paste")
