"""The agent: takes a message, and yields what happens until the turn is over and stored."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

from nanobot import log
from nanobot.agent.hooks import AgentHook
from nanobot.command import HistoryEntry
from nanobot.config import PluginConfig
from nanobot.context import Clock
from nanobot.desk import SessionInfo
from nanobot.engine import (
    Engine,
    EngineContext,
    EngineSettings,
    FollowUps,
    ModelChoice,
    Plugins,
)
from nanobot.errors import ConfigError, NanobotError, PluginError, StorageError
from nanobot.events import Notice, TextDelta, TurnEvent, TurnFinished, TurnStarted
from nanobot.messages import Inbound, Scope, StopReason, Turn, text_of
from nanobot.middleware import Middleware, TurnNext
from nanobot.profile import Profile

from nanobot_engine_standard import commands, prompts, tokens
from nanobot_engine_standard.archive import Archive
from nanobot_engine_standard.disk import DiskThreads
from nanobot_engine_standard.following import Following
from nanobot_engine_standard.history import KEEP_TOKENS, key_of
from nanobot_engine_standard.hooking import Hooks
from nanobot_engine_standard.loop import Loop, Outcome
from nanobot_engine_standard.model import ModelCaller, TimeIsUp, overrides
from nanobot_engine_standard.observing import Observers
from nanobot_engine_standard.policy import Policy
from nanobot_engine_standard.resume import GIVEN_UP, MAX_RESUMES, Standing, standing
from nanobot_engine_standard.session import Session
from nanobot_engine_standard.sessions import Sessions
from nanobot_engine_standard.streams import Bounded, closing
from nanobot_engine_standard.toolbox import Toolbox
from nanobot_engine_standard.turns import TurnRecord
from nanobot_engine_standard.wording import in_words

_PLAIN = Profile(name="")
TURN_GRACE_S = 10.0  # for a turn to end itself before middleware around it is stopped


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """What somebody wants of a turn.

    Args:
        profile: Who answers.
        deadline: Loop time at which the turn is over.
    """

    inbound: Inbound
    profile: Profile
    choices: Sequence[ModelChoice]
    hooks: Sequence[AgentHook]
    follow_ups: FollowUps | None
    deadline: float


class Agent:
    """Runs turns. One turn at a time per session; sessions do not wait for each other."""

    def __init__(self, registry: Plugins, settings: EngineSettings, clock: Clock) -> None:
        self.registry = registry
        self.settings = settings
        self._clock = clock
        self._disk = DiskThreads()
        self._sessions = Sessions(settings.sessions, clock, self._disk, _largest(settings))
        self._middleware: list[Middleware] = []
        self._around_turn: list[Middleware] = []
        self._observers = Observers()
        self._policy = Policy(clock)
        self._archive = Archive(settings.sessions)
        self._tool_tokens = tokens.OfTools()

    async def start(self) -> None:
        """Open the middleware and observers, which every turn needs."""
        for spec in sorted(self.registry.usable("middleware"), key=lambda s: (s.order, s.name)):
            self._middleware.append(await self.registry.open("middleware", spec.name))
        self._around_turn = [one for one in self._middleware if overrides(one, "around_turn")]
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
        self._disk.close()

    # --- what others may know of it (`nanobot.engine.Archive`) ----------------------------------

    async def sessions(self, scope: Scope) -> Sequence[SessionInfo]:
        """Return the sessions that a principal may look into."""
        return await self._disk.run(self._archive.sessions, scope)

    async def recall(self, scope: Scope, key: str) -> Sequence[HistoryEntry]:
        """Return what was said in a session."""
        return await self._disk.run(self._archive.recall, scope, key)

    def facts(self, scope: Scope) -> Mapping[str, str]:
        """Return what the agent may know of itself."""
        choice, limits = self.settings.presets[""][0], self.settings.limits
        return {
            **{key: str(value) for key, value in self.settings.facts.items()},
            "model": choice.model,
            "provider": choice.provider,
            "context_window_tokens": str(choice.window),
            "max_iterations": str(limits.max_iterations),
            "max_tool_result_chars": str(limits.max_tool_result_chars),
            "model_presets": ", ".join(sorted(filter(None, self.settings.presets))),
        }

    # --- a message ------------------------------------------------------------------------------

    async def handle(
        self,
        inbound: Inbound,
        *,
        hooks: Sequence[AgentHook] = (),
        preset: str | None = None,
        profile: Profile | None = None,
        follow_ups: FollowUps | None = None,
    ) -> AsyncGenerator[TurnEvent, None]:
        """Answer a message: run a command, or a turn; tell again how it ended if it came before.

        Args:
            preset: Model preset for this turn alone.
            profile: Who answers, None for the agent as configured.
            follow_ups: What is said while the turn runs.

        Raises:
            NanobotError: The message could not be accepted; nothing of it was stored.
        """
        profile = profile or _PLAIN
        running = self._sessions.running(inbound.session_key)
        if running is not None and (aside := self._aside(running, inbound)):
            async with closing(aside):
                async for event in aside:
                    yield event
            return
        async with self._sessions.open(inbound.session_key) as session:
            key = key_of(inbound)
            answered = await session.answered(key)
            if answered is not None:
                yield TurnStarted(turn_id=answered.turn_id, session_key=session.key)
                yield answered
                return
            damaged = session.note_damage()
            if damaged:
                yield Notice(
                    kind="warning",
                    text=f"{damaged} damaged lines of this session's transcript were passed over.",
                )
            resumed = session.history.open if session.history.holds_open(key) else None
            turn = self._turn(inbound, resumed, profile)
            command = None if resumed else commands.parse(turn.query)
            if command:
                wrapped = events = self._command(session, turn, inbound, *command)
            else:
                asked = _Asked(
                    inbound=inbound,
                    profile=profile,
                    choices=self._choices(session, preset, profile),
                    hooks=hooks,
                    follow_ups=follow_ups,
                    deadline=asyncio.get_running_loop().time()
                    + self.settings.limits.turn_timeout_s,
                )
                events = self._accept(session, turn, asked, resumed)
                wrapped = self._wrapped(events, turn, asked.deadline)
            async with closing(events), closing(self._whole(wrapped, events, turn)) as stream:
                async for event in stream:
                    yield event

    def _aside(self, session: Session, inbound: Inbound) -> AsyncIterator[TurnEvent] | None:
        """Return the answer to a command that need not wait for the running turn, else None.

        It looks at the session and leaves no record in it.
        """
        command = commands.parse(text_of(inbound.parts))
        if command is None or not commands.answers_at_once(command[0], self.registry):
            return None

        async def events() -> AsyncIterator[TurnEvent]:
            turn = self._turn(inbound, None, _PLAIN)
            yield TurnStarted(turn_id=turn.id, session_key=session.key)
            reply = await commands.run(*command, turn, session, self.registry, self.settings)
            yield TextDelta(text=reply)
            yield TurnFinished(content=reply, stop_reason=StopReason.COMMAND, turn_id=turn.id)

        return events()

    def _turn(self, inbound: Inbound, resumed: TurnRecord | None, profile: Profile) -> Turn:
        """Return the facts of a turn; those of an interrupted one are as they were."""
        principal, target = inbound.principal, inbound.target
        workspace = self.settings.workspace
        if profile.workspace:
            workspace = replace(workspace, root=profile.workspace)
        if resumed is not None:
            principal, target = resumed.began(principal, target)
        return Turn(
            id=resumed.id if resumed else uuid.uuid4().hex,
            scope=Scope(principal=principal, session_key=inbound.session_key),
            target=target,
            workspace=workspace,
            now=self._clock.now().astimezone(self.settings.timezone),
            origin=resumed.origin if resumed else inbound.origin,
            query=text_of(resumed.user.parts if resumed else inbound.parts),
            profile=profile.name,
        )

    def _choices(
        self, session: Session, preset: str | None, profile: Profile
    ) -> Sequence[ModelChoice]:
        name = (session.history.preset or profile.preset) if preset is None else preset
        chosen = self.settings.presets.get(name)
        if chosen is None and preset is not None:
            raise ConfigError(
                f"there is no model preset {preset!r}",
                remedy=f"Presets: {', '.join(filter(None, self.settings.presets)) or 'none'}.",
            )
        return chosen or self.settings.presets[""]  # a preset that was removed gives the default

    async def _command(
        self, session: Session, turn: Turn, inbound: Inbound, name: str, arguments: str
    ) -> AsyncIterator[TurnEvent]:
        yield TurnStarted(turn_id=turn.id, session_key=session.key)
        with suppress(StorageError):  # a full disk must not keep anybody from asking for help
            session.command(turn.id, inbound, name)
        reply = await commands.run(name, arguments, turn, session, self.registry, self.settings)
        with suppress(StorageError):
            session.reply(turn.id, log.redact(reply))
        yield TextDelta(text=reply)
        yield TurnFinished(content=reply, stop_reason=StopReason.COMMAND, turn_id=turn.id)

    async def _whole(
        self, wrapped: AsyncIterator[TurnEvent], events: AsyncIterator[TurnEvent], turn: Turn
    ) -> AsyncIterator[TurnEvent]:
        """Tell the observers, and see to it that a turn that began comes to an end for all.

        Args:
            wrapped: The events as middleware lets them through.
        """
        began = ended = False
        try:
            async with closing(wrapped) as stream:
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
            if not began and isinstance(error, TimeIsUp):
                seconds = self.settings.limits.turn_timeout_s
                raise PluginError(
                    f"middleware did not let the turn begin within {seconds:g} s"
                ) from None
            if not began or ended:
                raise
            async with closing(events):  # so that it is stored before anybody is told
                outcome = Outcome()
                self._fail(outcome, error)
            end = _stopped(turn, outcome.stop_reason, outcome.error)
            self._observers.tell(end, turn)
            yield end

    def _wrapped(
        self, events: AsyncIterator[TurnEvent], turn: Turn, deadline: float
    ) -> AsyncIterator[TurnEvent]:
        if not self._around_turn:
            return events
        proceed: TurnNext = lambda: events  # noqa: E731 - the innermost step of the chain below
        for layer in reversed(self._around_turn):
            proceed = _wrap(layer, turn, proceed)
        return Bounded(proceed(), deadline + TURN_GRACE_S, TimeIsUp)

    # --- a turn ---------------------------------------------------------------------------------

    async def _accept(
        self, session: Session, turn: Turn, asked: _Asked, resumed: TurnRecord | None
    ) -> AsyncIterator[TurnEvent]:
        """Store the message, run the turn, and store how it ended, whatever happens."""
        running = Hooks(asked.hooks, session.key)
        notice = await self._begin(session, turn, asked.inbound, resumed)
        following = Following(session, turn.id, asked.follow_ups)
        loop = self._loop(session, turn, asked, running, following)
        outcome = loop.outcome
        try:
            if notice and resumed is None:
                yield Notice(kind="recovery", text=notice)
            model = asked.choices[0].model
            yield TurnStarted(turn_id=turn.id, session_key=session.key, model=model)
            left = Standing()
            if resumed is not None:
                yield Notice(kind="recovery", text=notice)
                left = self._take_up(session, resumed, loop)
            if left.final is None:
                system = await prompts.system(self.registry, turn, asked.profile.instructions)
                async with closing(loop.run(system, asked.choices[0], left)) as events:
                    async for event in events:
                        yield event
        except (asyncio.CancelledError, GeneratorExit):
            if asked.follow_ups is None or not asked.follow_ups.suspended:
                with suppress(StorageError):  # the next turn closes this one as interrupted
                    session.end(turn.id, StopReason.CANCELLED)
                    await session.commit()
            raise
        except Exception as error:
            self._fail(outcome, error)
        try:
            outcome.content = running.finalize(outcome.content, outcome.stop_reason, outcome.error)
        except Exception as error:
            self._fail(outcome, error)
        used = tuple(loop.toolbox.used)
        try:
            await following.settle()
            await self._end(session, turn, outcome, used)
        except StorageError as error:
            self._fail(outcome, error)
        yield TurnFinished(
            content=outcome.content,
            stop_reason=outcome.stop_reason,
            usage=outcome.usage,
            error=outcome.error,
            tools_used=used,
            model=outcome.model,
            turn_id=turn.id,
        )

    async def _begin(
        self, session: Session, turn: Turn, inbound: Inbound, resumed: TurnRecord | None
    ) -> str:
        """Store the message that begins a turn; return what the user should know about it."""
        if resumed is not None:
            return "The turn was interrupted; it goes on now."
        parts = await session.put_away(inbound.parts)
        context = await prompts.volatile(self.registry, turn)
        closed = session.close_unfinished()
        session.begin(turn.id, inbound, parts, context)
        if not inbound.stored:
            await session.commit()
        return "The last turn was interrupted and has been closed." if closed else ""

    async def _end(
        self, session: Session, turn: Turn, outcome: Outcome, used: tuple[str, ...]
    ) -> None:
        """Store how a turn ended."""
        session.end(
            turn.id,
            outcome.stop_reason,
            outcome.error,
            content=outcome.content,
            model=outcome.model,
            tools=used,
        )
        await session.commit()

    def _loop(
        self, session: Session, turn: Turn, asked: _Asked, hooks: Hooks, following: Following
    ) -> Loop:
        limits = self.settings.limits
        if asked.profile.max_iterations:
            limits = replace(limits, max_iterations=asked.profile.max_iterations)
        caller = ModelCaller(
            self.registry,
            self._middleware,
            turn,
            self._policy,
            asked.choices,
            limits,
            asked.deadline,
        )
        toolbox = Toolbox(
            self.registry,
            self._middleware,
            self.settings,
            turn,
            asked.deadline,
            allowed=asked.profile.tools,
            tokens=self._tool_tokens,
        )
        return Loop(session, caller, toolbox, hooks, limits, turn, following)

    def _take_up(self, session: Session, resumed: TurnRecord, loop: Loop) -> Standing:
        """Return what is left to do of an interrupted turn; what it came to so far counts on."""
        outcome = loop.outcome
        outcome.usage, outcome.model = resumed.usage, resumed.model
        loop.toolbox.used |= dict.fromkeys(resumed.ran())
        left = standing(resumed)
        if left.final is not None:
            outcome.content, outcome.stop_reason = left.final, left.stop
        elif resumed.resumed >= MAX_RESUMES:
            outcome.content, outcome.stop_reason = resumed.content(), StopReason.INTERRUPTED
            outcome.error = GIVEN_UP
            left = replace(left, final=outcome.content)
        else:
            session.resume(resumed.id)
        return left

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


def _largest(settings: EngineSettings) -> int:
    """Return how many tokens of a session any of the models could be sent."""
    budgets = [choice.budget for chosen in settings.presets.values() for choice in chosen]
    return max(budgets, default=KEEP_TOKENS)


@asynccontextmanager
async def open_engine(config: PluginConfig, context: EngineContext) -> AsyncIterator[Engine]:
    """Open the engine."""
    agent = Agent(context.plugins, context.settings, context.clock)
    await agent.start()
    try:
        yield agent
    finally:
        await agent.aclose()
