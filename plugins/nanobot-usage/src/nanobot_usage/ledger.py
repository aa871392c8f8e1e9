"""The middleware that records each model call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nanobot.context import PluginContext
from nanobot.errors import ConfigError
from nanobot.log import Logger
from nanobot.messages import BilledTokens, ContextTokens, Principal, Turn, Usage
from nanobot.middleware import Middleware, ModelNext
from nanobot.provider import ModelEvent, ModelFinish, ModelRequest

from nanobot_usage.config import UsageConfig
from nanobot_usage.journal import FOLDER, Call, Journal
from nanobot_usage.prices import Prices, open_prices, shipped
from nanobot_usage.segments import CHARACTERS_A_TOKEN, Sizer, shared


class Ledger(Middleware):
    """Records what each call used; never keeps one from being made."""

    def __init__(self, journal: Journal, prices: Prices, context: PluginContext) -> None:
        self._journal = journal
        self._prices = prices
        self._clock = context.clock
        self._log: Logger = context.log
        self._sizer = Sizer()

    async def around_model(
        self, request: ModelRequest, turn: Turn, proceed: ModelNext
    ) -> AsyncIterator[ModelEvent]:
        """Pass a call on and record it, also one that breaks off after it has said something."""
        finish: ModelFinish | None = None
        said = 0
        try:
            async for event in proceed(request):
                if isinstance(event, ModelFinish):
                    finish = event
                else:
                    said += len(event.text)
                yield event
        finally:
            if finish is not None or said:
                self._record(request, turn, finish, said)

    def _record(
        self, request: ModelRequest, turn: Turn, finish: ModelFinish | None, said: int
    ) -> None:
        sizes = self._sizer.characters(request)
        usage = finish.usage if finish else _estimate(sum(sizes.values()), said)
        model = (finish and finish.model) or request.model
        at = int(self._clock.now().timestamp())
        call = Call(
            at=at,
            turn=turn.id,
            session=turn.scope.session_key,
            user=user_of(turn.scope.principal),
            origin=str(turn.origin),
            model=model,
            billed=usage.billed,
            context=usage.context,
            cost=self._prices.cost((model, request.model), usage.billed, at),
            estimated=usage.estimated,
            segments=shared(usage.billed.input, sizes),
        )
        try:
            self._journal.append(call)
        except OSError as error:
            self._log.warning("call_not_recorded", reason=error.strerror or str(error))


def user_of(principal: Principal) -> str:
    """Return what reports call a user."""
    account = "" if principal.account == "default" else f"/{principal.account}"
    return f"{principal.channel}{account}:{principal.user}"


def _estimate(sent: int, said: int) -> Usage:
    """Return what a call used that was cut off before the vendor has said so."""
    input_, output = sent // CHARACTERS_A_TOKEN, -(-said // CHARACTERS_A_TOKEN)
    billed = BilledTokens(input=input_, output=output)
    return Usage(billed=billed, context=ContextTokens(input_), calls=1, estimated=True)


@asynccontextmanager
async def open_middleware(config: UsageConfig, context: PluginContext) -> AsyncIterator[Ledger]:
    """Open the ledger; a damaged price table is left out, since calls are counted all the same."""
    folder = context.data.parent / FOLDER
    try:
        prices = await asyncio.to_thread(open_prices, folder, config.prices)
    except ConfigError as error:
        context.log.warning("prices_left_out", reason=error.message)
        prices = Prices(config.prices, [shipped()])
    yield Ledger(Journal(folder, config.keep_months), prices, context)
