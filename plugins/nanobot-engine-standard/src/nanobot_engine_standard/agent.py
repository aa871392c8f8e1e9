"""The agent: takes a message, and yields what happens until the turn is over and stored."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from nanobot import log
from nanobot.agent.hooks import AgentHook
from nanobot.config import PluginConfig
from nanobot.context import Clock
from nanobot.engine import Engine, EngineContext, EngineSettings, ModelChoice, Plugins
from nanobot.errors import ConfigError, NanobotError, StorageError
from nanobot.events import Notice, TextDelta, TurnEvent, TurnFinished, TurnStarted
from nanobot.messages import Inbound, Scope, StopReason, Turn, text_of
from nanobot.middleware import Middleware, TurnNext

from nanobot_engine_standard import commands, prompts
from nanobot_engine_standard.hooking import Hooks
from nanobot_engine_standard.loop import Loop, Outcome
from nanobot_engine_standard.model import ModelCaller, TimeIsUp
from nanobot_engine_standard.observing import Observers
from nanobot_engine_standard.session import Session, open_session
from nanobot_engine_standard.streams import closing
from nanobot_engine_standard.toolbox import Toolbox
from nanobot_engine_standard.wording import in_words


class Agent:
    """Runs turns. One turn at a time per session; sessions do not wait for each other."""

    def __init__(self, registry: Plugins, settings: EngineSettings, clock: Clock) -> None:
        self.registry = registry
        self.settings = settings
        self._clock = clock
        self._middleware: list[Middleware] = []
        self._observers = Observers()

    async def start(self) -> None:
        """Open the middleware and observers, which every turn needs."""
        for spec in sorted(self.registry.usable("middleware"), key=lambda s: (s.order, s.name)):
            self._middleware.append(await self.registry.open("middleware", spec.name))
        observers = []
        for spec in self.registry.usable("observers"):
            try:
                observers.append(await self.registry.open("observers", spec.name))
            except NanobotError as error:
                log.get(plugin=f"observers.{spec.name}").warning("left_out", reason=error.message)
        self._observers.start(observers)

    async def aclose(self) -> None:
        """Close everything that was opened."""
        await self._observers.aclose()

    # --- a message ------------------------------------------------------------------------------

    async def handle(
        self,
        inbound: Inbound,
        *,
        hooks: Sequence[AgentHook] = (),
        preset: str | None = None,
    ) -> AsyncGenerator[TurnEvent, None]:
        """Answer a message: run a command, or a turn.

        Args:
            preset: Model preset for this turn alone.

        Raises:
            NanobotError: The message could not be accepted; nothing of it was stored.
        """
        async with open_session(
            self.settings.sessions, inbound.session_key, self._clock
        ) as session:
            turn = self._turn(inbound)
            damaged = session.note_damage()
            if damaged:
                yield Notice(
                    kind="warning",
                    text=f"{damaged} damaged lines of this session's transcript were passed over.",
                )
            command = commands.parse(turn.query)
            if command:
                events = self._command(session, turn, *command)
            else:
                chosen = self._choices(session, preset)
                events = self._accept(session, turn, inbound, chosen, hooks)
            wrapped = events if command else self._wrapped(events, turn)
            async with closing(events), closing(self._whole(wrapped, turn)) as stream:
                async for event in stream:
                    yield event

    def _turn(self, inbound: Inbound) -> Turn:
        return Turn(
            id=uuid.uuid4().hex,
            scope=Scope(principal=inbound.principal, session_key=inbound.session_key),
            target=inbound.target,
            workspace=self.settings.workspace,
            now=self._clock.now().astimezone(self.settings.timezone),
            origin=inbound.origin,
            query=text_of(inbound.parts),
        )

    def _choices(self, session: Session, preset: str | None) -> Sequence[ModelChoice]:
        name = session.history.preset if preset is None else preset
        chosen = self.settings.presets.get(name)
        if chosen is None and preset is not None:
            raise ConfigError(
                f"there is no model preset {preset!r}",
                remedy=f"Presets: {', '.join(filter(None, self.settings.presets)) or 'none'}.",
            )
        return chosen or self.settings.presets[""]  # a preset that was removed gives the default

    async def _command(
        self, session: Session, turn: Turn, name: str, arguments: str
    ) -> AsyncIterator[TurnEvent]:
        yield TurnStarted(turn_id=turn.id, session_key=session.key)
        reply = await commands.run(name, arguments, turn, session, self.registry, self.settings)
        yield TextDelta(text=reply)
        yield TurnFinished(content=reply, stop_reason=StopReason.COMMAND, turn_id=turn.id)

    async def _whole(
        self, events: AsyncIterator[TurnEvent], turn: Turn
    ) -> AsyncIterator[TurnEvent]:
        """Tell the observers, and see to it that a turn that began comes to an end for all."""
        began = ended = False
        try:
            async with closing(events) as stream:
                async for event in stream:
                    began = began or isinstance(event, TurnStarted)
                    ended = ended or isinstance(event, TurnFinished)
                    self._observers.tell(event, turn)
                    yield event
        except (asyncio.CancelledError, GeneratorExit):
            if began and not ended:
                self._observers.tell(_stopped(turn, StopReason.CANCELLED), turn)
            raise
        except Exception as error:  # from middleware around the turn
            if not began or ended:
                raise
            outcome = Outcome()
            self._fail(outcome, error)
            end = _stopped(turn, StopReason.ERROR, outcome.error)
            self._observers.tell(end, turn)
            yield end

    def _wrapped(self, events: AsyncIterator[TurnEvent], turn: Turn) -> AsyncIterator[TurnEvent]:
        proceed: TurnNext = lambda: events  # noqa: E731 - the innermost step of the chain below
        for layer in reversed(self._middleware):
            proceed = _wrap(layer, turn, proceed)
        return proceed()

    # --- a turn ---------------------------------------------------------------------------------

    async def _accept(
        self,
        session: Session,
        turn: Turn,
        inbound: Inbound,
        choices: Sequence[ModelChoice],
        hooks: Sequence[AgentHook],
    ) -> AsyncIterator[TurnEvent]:
        """Store the message, run the turn, and store how it ended, whatever happens."""
        running = Hooks(hooks, session.key)
        if session.close_unfinished():
            yield Notice(kind="recovery", text="The last turn was interrupted and has been closed.")
        session.begin(turn.id, inbound, await prompts.volatile(self.registry, turn))
        deadline = asyncio.get_running_loop().time() + self.settings.limits.turn_timeout_s
        toolbox = Toolbox(self.registry, self._middleware, self.settings, turn, deadline)
        loop = Loop(
            session,
            ModelCaller(
                self.registry,
                self._middleware,
                turn,
                self._clock,
                choices,
                self.settings.limits.idle_timeout_s,
            ),
            toolbox,
            running,
            self.settings.limits,
            turn,
            deadline,
        )
        outcome = loop.outcome
        try:
            yield TurnStarted(turn_id=turn.id, session_key=session.key)
            system = await prompts.system(self.registry, turn)
            async with closing(loop.run(system, choices[0])) as events:
                async for event in events:
                    yield event
        except (asyncio.CancelledError, GeneratorExit):
            with suppress(StorageError):  # the next turn closes this one as interrupted
                session.end(turn.id, StopReason.CANCELLED)
            raise
        except Exception as error:
            self._fail(outcome, error)
        try:
            outcome.content = running.finalize(outcome.content, outcome.stop_reason, outcome.error)
        except Exception as error:
            self._fail(outcome, error)
        try:
            session.end(turn.id, outcome.stop_reason, outcome.error)
        except StorageError as error:
            self._fail(outcome, error)
        yield TurnFinished(
            content=outcome.content,
            stop_reason=outcome.stop_reason,
            usage=outcome.usage,
            error=outcome.error,
            tools_used=tuple(toolbox.used),
            model=outcome.model,
            turn_id=turn.id,
        )

    def _fail(self, outcome: Outcome, error: Exception) -> None:
        """Turn an exception into how the turn ended."""
        outcome.stop_reason = StopReason.ERROR
        if isinstance(error, NanobotError):
            outcome.error = log.redact(str(error))
        elif isinstance(error, TimeIsUp):
            outcome.stop_reason = StopReason.TIME_LIMIT
            outcome.error = in_words(StopReason.TIME_LIMIT, self.settings.limits)
        else:
            log.get().error("turn_crashed", exc_info=True)
            name = type(error).__name__
            outcome.error = log.redact(f"internal error: {name}: {error}\nRun again with --logs.")


def _stopped(turn: Turn, reason: StopReason, error: str = "") -> TurnFinished:
    return TurnFinished(content="", stop_reason=reason, error=error, turn_id=turn.id)


def _wrap(layer: Middleware, turn: Turn, proceed: TurnNext) -> TurnNext:
    return lambda: layer.around_turn(turn, proceed)


@asynccontextmanager
async def open_engine(config: PluginConfig, context: EngineContext) -> AsyncIterator[Engine]:
    """Open the engine."""
    agent = Agent(context.plugins, context.settings, context.clock)
    await agent.start()
    try:
        yield agent
    finally:
        await agent.aclose()
