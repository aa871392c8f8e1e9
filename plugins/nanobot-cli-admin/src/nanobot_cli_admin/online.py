"""Whether the models that are set up really answer: one tiny call each, side by side."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from contextlib import aclosing
from typing import Any, Literal

from nanobot.admin import Config, View
from nanobot.engine import ModelChoice
from nanobot.errors import (
    AuthError,
    BadRequest,
    MalformedAnswer,
    NanobotError,
    OverloadError,
    ProviderTimeout,
    QuotaError,
    RateLimitError,
    TransportError,
    describe,
)
from nanobot.findings import Finding
from nanobot.log import redact
from nanobot.messages import UserMessage
from nanobot.parts import Text
from nanobot.provider import ModelFinish, ModelRequest, Segment

from nanobot_cli_admin.loading import Loaded
from nanobot_cli_admin.survey import assembled, label

DEADLINE_S = 20.0
_TOKENS = 16  # the fewest that every vendor takes
_CAUSES = {
    AuthError: ("its key is refused", "Put the right key into its section, or sign in again."),
    QuotaError: ("its account has no credit left", "Top up the account at the vendor."),
    RateLimitError: ("it limits the requests at the moment", "Try again in a minute."),
    OverloadError: ("it is overloaded or failing", "Try again later; the vendor has to cure it."),
    TransportError: ("it can not be reached", "Check the network, the proxy and apiBase."),
    ProviderTimeout: ("it says nothing", "Check the network, the proxy and apiBase."),
    MalformedAnswer: ("it does not answer as it should", "Check apiBase: is it the API's address?"),
    BadRequest: ("it refuses the request", "nanobot models list   shows what it offers"),
}
"""What a kind of error means for somebody who sets a vendor up, and what to do unless it says."""


async def try_out(
    config: Config,
    loaded: Loaded,
    environ: Mapping[str, str],
    choices: Iterable[ModelChoice],
) -> list[Finding]:
    """Ask each model, with each of its keys, one word, and return what came of it."""
    distinct = {(choice.credential, choice.model): choice for choice in choices}
    async with assembled(config, loaded, environ) as parts:
        view = View(parts.registry)
        return list(await asyncio.gather(*(_tried(view, c) for c in distinct.values())))


async def _tried(view: View, choice: ModelChoice) -> Finding:
    began = time.monotonic()
    try:
        async with asyncio.timeout(DEADLINE_S):
            await _ask(view, choice)
    except TimeoutError:
        error: Exception = ProviderTimeout(f"nothing came within {DEADLINE_S:g} s")
    except Exception as caught:
        error = caught
    else:
        took = f"{time.monotonic() - began:.1f} s"
        return _finding(choice, "info", f"{label(choice)} answered in {took}", "")
    cause, remedy = next(
        (words for kind, words in _CAUSES.items() if isinstance(error, kind)),
        ("it can not be asked", ""),
    )
    severity: Literal["warning", "error"] = (
        "warning" if isinstance(error, RateLimitError | OverloadError) else "error"
    )
    own = error.remedy if isinstance(error, NanobotError) else ""
    said = redact(describe(error))
    return _finding(choice, severity, f"{label(choice)}: {cause}: {said}", own or remedy)


async def _ask(view: View, choice: ModelChoice) -> None:
    provider = await view.open_model(choice)
    request = ModelRequest(
        model=choice.model,
        system=(Segment(name="check", text="You are being tested. Answer with one word."),),
        messages=(UserMessage(parts=(Text(text="Say: ok"),)),),
        max_tokens=_TOKENS,
    )
    stream: Any = provider.stream(request)
    async with aclosing(stream) as events:
        async for event in events:
            if isinstance(event, ModelFinish):
                return
    raise MalformedAnswer("the answer has no end")


def _finding(
    choice: ModelChoice, severity: Literal["info", "warning", "error"], message: str, remedy: str
) -> Finding:
    return Finding(path=choice.credential, severity=severity, message=message, remedy=remedy)
