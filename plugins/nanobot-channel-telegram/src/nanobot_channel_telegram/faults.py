"""What Telegram's errors mean to the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from nanobot.errors import ConfigError, NanobotError
from nanobot.log import redact
from nanobot_gateway.channel import DeliveryError
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)


class ConnectionLost(NanobotError):
    """Report that Telegram can not be reached for the moment."""


def wrong_token(setting: str, api_base: str) -> ConfigError:
    """Return the error of a token that Telegram does not know."""
    return ConfigError(
        f"Telegram refuses the token in {setting}",
        remedy=f"Ask @BotFather for the bot's token (/mybots, API Token) and set {setting}; "
        f"the server asked was {api_base}.",
    )


def missing_token(setting: str) -> ConfigError:
    """Return the error of a bot without a token."""
    return ConfigError(
        f"{setting} is not set",
        remedy=f"Make a bot with @BotFather in Telegram and put its token into {setting}.",
    )


def lost(error: TelegramError | TimeoutError, setting: str, api_base: str) -> NanobotError:
    """Return why no messages come in."""
    if isinstance(error, InvalidToken):
        return wrong_token(setting, api_base)
    if isinstance(error, Conflict):
        return ConnectionLost(
            f"another program fetches the messages of the bot in {setting}",
            remedy="Stop the other one, or give this one a bot of its own; a bot has one reader.",
        )
    return ConnectionLost(f"Telegram can not be reached: {_words(error)}")


@asynccontextmanager
async def delivering(seconds: float) -> AsyncIterator[None]:
    """Bound calls in time, and tell their failure as a `DeliveryError`.

    What a caller can do something about comes through as it is: `BadRequest`, `ChatMigrated`.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except (BadRequest, ChatMigrated):
        raise
    except (TelegramError, TimeoutError) as error:
        raise undelivered(error) from None


def undelivered(error: TelegramError | TimeoutError) -> DeliveryError:
    """Return a failed delivery as the gateway understands it."""
    words = _words(error)
    if isinstance(error, RetryAfter):
        wait = error.retry_after
        seconds = wait.total_seconds() if isinstance(wait, timedelta) else float(wait)
        return DeliveryError(f"Telegram asks to wait {seconds:g} s", retry_after=seconds)
    if isinstance(error, InvalidToken):
        return DeliveryError(
            "Telegram refuses the bot's token", retryable=False, remedy="Set a valid token."
        )
    if isinstance(error, Forbidden):
        return DeliveryError(
            f"Telegram refuses the message: {words}",
            retryable=False,
            remedy="The user has to start the bot, or the group to add it, before it may write.",
        )
    if isinstance(error, BadRequest | ChatMigrated):
        return DeliveryError(f"Telegram refuses the message: {words}", retryable=False)
    return DeliveryError(f"Telegram did not take the message: {words}")


def refuses_markup(error: BadRequest) -> bool:
    """Tell whether plain text may pass where rendered text did not."""
    words = error.message.lower()
    return "entit" in words or "too long" in words


def is_unchanged(error: BadRequest) -> bool:
    """Tell whether an edit failed because the message says so already."""
    return "not modified" in error.message.lower()


def is_passing(error: TelegramError | TimeoutError) -> bool:
    """Tell whether the same call may succeed when it is made once more."""
    return isinstance(error, TimeoutError | TimedOut) or (
        isinstance(error, NetworkError) and not isinstance(error, BadRequest)
    )


def _words(error: TelegramError | TimeoutError) -> str:
    if isinstance(error, TelegramError):
        return redact(error.message)
    return "no answer in time"
