"""A laboratory for the agent: a scripted model, fake tools, a clock that does not wait.

Everything is offered by a fake plugin module through the real host and registry.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from nanobot import log
from nanobot.admin import Entry, Host, Registry, State, Status, View, scan
from nanobot.engine import Engine, EngineContext, EngineSettings, Limits, ModelChoice
from nanobot.errors import ConfigError
from nanobot.events import Notice, TextDelta, TurnEvent, TurnFinished
from nanobot.hookspecs import hookimpl
from nanobot.messages import (
    BilledTokens,
    ContextTokens,
    Effects,
    FinishReason,
    Inbound,
    Message,
    Part,
    Principal,
    ReasoningBlock,
    Role,
    Target,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    Usage,
    UserMessage,
    Workspace,
)
from nanobot.paths import Instance
from nanobot.provider import ModelEvent, ModelFinish, ModelReasoning, ModelRequest, ModelText
from nanobot.specs import (
    MiddlewareSpec,
    ObserverSpec,
    PromptSpec,
    ProviderSpec,
    Spec,
    ToolDefinition,
    ToolSpec,
)
from nanobot.tool import ToolRequest

from nanobot_testing.host import load_spec, run

KINDS = ("providers", "tools", "commands", "prompts", "middleware", "observers")
USAGE = Usage(billed=BilledTokens(input=10, output=2), context=ContextTokens(12), calls=1)
ANY_OBJECT: Mapping[str, object] = {"type": "object", "properties": {}}

Handler = Callable[[ToolRequest, Turn], Awaitable[ToolResult | str]]
Step = Callable[[ModelRequest], AsyncIterator[ModelEvent]]


class FakeClock:
    """A clock that stands still, and moves on at once when somebody sleeps."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._elapsed = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC) + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        self._elapsed += seconds


def call(name: str, arguments: str = "{}", id: str = "") -> ToolCall:
    """Return a tool call with an id of its own."""
    return ToolCall(id=id or f"call-{uuid.uuid4().hex[:8]}", name=name, arguments=arguments)


class Model:
    """A provider that follows a script; one step for each request."""

    def __init__(self) -> None:
        self.requests: list[ModelRequest] = []
        self.opened = 0
        self.closed = 0
        self.waiting = asyncio.Event()
        self._steps: deque[Step] = deque()
        self._always: Step | None = None

    # --- the script -----------------------------------------------------------------------------

    def then(self, step: Step) -> Model:
        """Add a step of any kind."""
        self._steps.append(step)
        return self

    def always(self, step: Step) -> Model:
        """Take this step whenever the script is over."""
        self._always = step
        return self

    def forget(self) -> Model:
        """Forget what is left of the script."""
        self._steps.clear()
        return self

    def says(self, *texts: str, **finish: Any) -> Model:
        """Answer with texts, and what `answer` takes."""
        return self.then(answer(*texts, **finish))

    def calls(self, *calls: ToolCall, text: str = "", **finish: Any) -> Model:
        """Call tools."""
        return self.then(answer(*([text] if text else []), calls=calls, **finish))

    def fails(self, error: BaseException, *texts: str, times: int = 1) -> Model:
        """Raise an error after some texts."""
        for _ in range(times):
            self.then(failure(error, *texts))
        return self

    def hangs(self, *texts: str) -> Model:
        """Say some texts and then nothing, for ever; `waiting` is set by then."""

        async def step(request: ModelRequest) -> AsyncIterator[ModelEvent]:
            for text in texts:
                yield ModelText(text=text)
            self.waiting.set()
            await asyncio.Event().wait()

        return self.then(step)

    @property
    def left(self) -> int:
        """Return how many steps were not taken."""
        return len(self._steps)

    # --- nanobot.provider.Provider --------------------------------------------------------------

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        self.requests.append(request)
        step = self._steps.popleft() if self._steps else self._always
        if step is None:
            raise AssertionError(f"the script is over; asked: {request.messages[-1]}")
        self.opened += 1
        try:
            async with aclosing(step(request)) as events:  # type: ignore[type-var]
                async for event in events:
                    yield event
        finally:
            self.closed += 1


def answer(
    *texts: str,
    calls: Sequence[ToolCall] = (),
    reasoning: Sequence[str] = (),
    keep: Sequence[ReasoningBlock] = (),
    finish: FinishReason | None = None,
    usage: Usage = USAGE,
    model: str = "",
) -> Step:
    """Return the step of a whole answer."""

    async def step(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        for thought in reasoning:
            yield ModelReasoning(text=thought)
        for text in texts:
            yield ModelText(text=text)
        yield ModelFinish(
            reason=finish or (FinishReason.TOOL_CALLS if calls else FinishReason.STOP),
            usage=usage,
            tool_calls=tuple(calls),
            reasoning=tuple(keep),
            model=model,
        )

    return step


def failure(error: BaseException, *texts: str) -> Step:
    """Return the step of a call that fails."""

    async def step(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        for text in texts:
            yield ModelText(text=text)
        raise error

    return step


class FakeTool:
    """A tool that is one function."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.requests: list[ToolRequest] = []

    async def call(self, request: ToolRequest, turn: Turn) -> ToolResult:
        self.requests.append(request)
        result = await self._handler(request, turn)
        return ToolResult.ok(result) if isinstance(result, str) else result


class FakePrompt:
    """A prompt section that is one function."""

    def __init__(self, text: Callable[[Turn], str]) -> None:
        self._text = text

    async def render(self, turn: Turn) -> str:
        return self._text(turn)


class Lab:
    """Puts an agent together.

    Args:
        folder: An empty folder for the configuration, the workspace and the transcripts.
    """

    engine = "standard"

    def __init__(self, folder: Path) -> None:
        self.instance = Instance(config=folder / "data" / "config.json", workspace=folder / "work")
        self.instance.workspace.mkdir(parents=True, exist_ok=True)
        self.clock = FakeClock()
        self.module = ModuleType(f"nanobot_lab_{uuid.uuid4().hex}")
        sys.modules[self.module.__name__] = self.module
        self.offers: dict[str, dict[str, Spec]] = {kind: {} for kind in KINDS}
        self.limits = Limits()
        self.restricted = False
        self.presets: dict[str, tuple[ModelChoice, ...]] = {}
        self.sections: dict[str, Any] = {}
        self.standard = {"nanobot-command-core", "nanobot-prompt-core"}
        self.host = Host(())
        self.model = self.provider("main")

    # --- offering -------------------------------------------------------------------------------

    def offer(self, kind: str, spec: Spec, opened: Any) -> Any:
        """Offer an object, or what a factory opens."""
        name = f"open_{kind}_{spec.name}"

        @asynccontextmanager
        async def factory(config: Any, context: Any) -> AsyncIterator[Any]:
            yield opened

        setattr(self.module, name, factory)
        self.offers[kind][spec.name] = replace(spec, factory=f"{self.module.__name__}:{name}")
        return opened

    def offer_factory(self, kind: str, spec: Spec, factory: Any) -> None:
        """Offer what a factory opens."""
        self.offer(kind, spec, None)
        setattr(self.module, f"open_{kind}_{spec.name}", factory)

    def provider(self, name: str, **spec: Any) -> Model:
        """Offer a scripted model vendor."""
        model = Model()
        self.offer("providers", ProviderSpec(name=name, factory="", **spec), model)
        return model

    def tool(
        self,
        name: str,
        handler: Handler,
        *,
        read_only: bool = False,
        idempotent: bool = False,
        parameters: Mapping[str, object] = ANY_OBJECT,
        **definition: Any,
    ) -> FakeTool:
        """Offer a tool in a plugin of its own."""
        made = ToolDefinition(
            name=name,
            description=f"Do {name}.",
            parameters=parameters,
            effects=Effects(read_only=read_only, idempotent=idempotent),
            **definition,
        )
        tool = FakeTool(handler)
        self.offer("tools", ToolSpec(name=name, factory="", tools=(made,)), tool)
        return tool

    def returns(self, name: str, result: ToolResult | str = "done", **definition: Any) -> FakeTool:
        """Offer a tool that always returns the same."""

        async def handler(request: ToolRequest, turn: Turn) -> ToolResult | str:
            return result

        return self.tool(name, handler, **definition)

    def raises(self, name: str, error: BaseException, **definition: Any) -> FakeTool:
        """Offer a tool that always raises."""

        async def handler(request: ToolRequest, turn: Turn) -> ToolResult | str:
            raise error

        return self.tool(name, handler, **definition)

    def prompt(self, name: str, text: Callable[[Turn], str], **spec: Any) -> None:
        """Offer a prompt section."""
        self.offer("prompts", PromptSpec(name=name, factory="", **spec), FakePrompt(text))

    def middleware(self, name: str, layer: Any, order: int = 100) -> Any:
        """Offer middleware."""
        return self.offer("middleware", MiddlewareSpec(name=name, factory="", order=order), layer)

    def observer(self, name: str, observer: Any) -> Any:
        """Offer an observer."""
        return self.offer("observers", ObserverSpec(name=name, factory=""), observer)

    # --- putting together -----------------------------------------------------------------------

    def choice(self, provider: str = "main", model: str = "m-1", **choice: Any) -> ModelChoice:
        """Return a choice of one of the scripted models."""
        return ModelChoice(provider=provider, model=model, **choice)

    @property
    def settings(self) -> EngineSettings:
        """Return the settings as they stand."""
        return EngineSettings(
            presets={"": (self.choice(),), **self.presets},
            workspace=Workspace(
                root=self.instance.workspace,
                restricted=self.restricted,
                denied=(self.instance.data, self.instance.sessions),
            ),
            sessions=self.instance.sessions,
            spill=self.instance.spill,
            timezone=UTC,
            limits=self.limits,
        )

    def entries(self) -> list[Entry]:
        """Return the entries of everything on offer."""
        own = [
            Entry(
                kind=kind,
                name=name,
                value=self.module.__name__,
                distribution="nanobot-lab",
                version="1.0",
            )
            for kind, specs in self.offers.items()
            for name in specs
        ]
        return [*own, *(entry for entry in scan().plugins if entry.distribution in self.standard)]

    def publish(self) -> None:
        """Give the module the hooks for what is on offer."""
        for kind, specs in self.offers.items():
            if specs:
                self.implement(f"nanobot_{kind}", lambda specs=specs: tuple(specs.values()))

    def implement(self, hook: str, function: Callable[..., Any]) -> None:
        """Give the module a hook."""
        function.__name__ = hook
        setattr(self.module, hook, hookimpl(function))

    def make_registry(self) -> Registry:
        """Register everything on offer with a new host."""
        self.publish()
        self.host = Host([Status(entry=e, state=State.AVAILABLE) for e in self.entries()])
        for kind in KINDS:
            self.host.load(kind)
        self.host.open_kinds()
        return Registry(self.host, self._section, self.instance, self.clock)

    def _section(self, spec: Spec, kind: str) -> Any:
        section = self.sections.get(f"{kind}.{spec.name}", spec.config())
        if isinstance(section, ConfigError):
            raise section
        return section

    @asynccontextmanager
    async def agent(self) -> AsyncIterator[Engine]:
        """Open the engine, as a new process would."""
        registry = self.make_registry()
        spec = load_spec(f"engines.{self.engine}")
        module, _, name = spec.factory.partition(":")
        context = EngineContext(
            id=f"engines.{self.engine}",
            log=log.get(plugin="engine"),
            data=self.instance.plugin_data("engine"),
            clock=self.clock,
            plugins=View(registry),
            settings=self.settings,
        )
        try:
            async with getattr(import_module(module), name)(spec.config(), context) as engine:
                yield engine
        finally:
            await registry.aclose()

    # --- asking ---------------------------------------------------------------------------------

    def inbound(
        self,
        message: str | Iterable[Part],
        session: str = "cli:direct",
        role: Role = Role.OWNER,
        id: str = "",
        **fields: Any,
    ) -> Inbound:
        """Return a message, with an id of its own unless one is given."""
        parts = (Text(text=message),) if isinstance(message, str) else tuple(message)
        return Inbound(
            id=id or uuid.uuid4().hex,
            session_key=session,
            principal=Principal(channel="cli", user="alice", role=role),
            target=Target(channel="cli", chat="direct"),
            parts=parts,
            received_at=self.clock.now(),
            **fields,
        )

    async def ask(
        self, agent: Engine, message: str | Iterable[Part], **options: Any
    ) -> list[TurnEvent]:
        """Let an agent answer a message and return the events."""
        handled = ("hooks", "preset", "profile", "follow_ups")
        asked = {name: options.pop(name) for name in handled if name in options}
        return [event async for event in agent.handle(self.inbound(message, **options), **asked)]

    def run(self, *messages: str | Iterable[Part], **options: Any) -> list[TurnEvent]:
        """Let a new process answer some messages; return the events of the last."""

        async def go() -> list[TurnEvent]:
            events: list[TurnEvent] = []
            async with self.agent() as agent:
                for message in messages:
                    events = await self.ask(agent, message, **options)
                return events

        return run(go())

    # --- looking --------------------------------------------------------------------------------

    @staticmethod
    def finished(events: Sequence[TurnEvent]) -> TurnFinished:
        """Return the end of a turn; there must be one, at the end."""
        assert [isinstance(event, TurnFinished) for event in events].count(True) == 1
        assert isinstance(events[-1], TurnFinished)
        return events[-1]

    @staticmethod
    def shown(events: Sequence[TurnEvent]) -> str:
        """Return the text that was shown."""
        return "".join(event.text for event in events if isinstance(event, TextDelta))

    @staticmethod
    def notices(events: Sequence[TurnEvent], kind: str) -> list[str]:
        """Return the notices of a kind."""
        return [e.text for e in events if isinstance(e, Notice) and e.kind == kind]

    @staticmethod
    def of(events: Sequence[TurnEvent], kind: type[Any]) -> list[Any]:
        """Return the events of a class."""
        return [event for event in events if isinstance(event, kind)]

    @staticmethod
    def check(messages: Sequence[Message]) -> None:
        """Check that a conversation is one that every vendor accepts."""
        assert isinstance(messages[0], UserMessage), "it starts with a user"
        for message in messages:
            if isinstance(message, UserMessage):
                assert message.parts
                continue
            assert message.text.strip() or message.tool_uses, "an answer is not empty"
            ids = [use.call.id for use in message.tool_uses]
            assert all(ids) and len(set(ids)) == len(ids), "ids are there and unique"
            assert all(use.call.name for use in message.tool_uses)
            assert all(isinstance(use.result, ToolResult) for use in message.tool_uses)
        for before, after in itertools.pairwise(messages):
            assert not (isinstance(before, UserMessage) and isinstance(after, UserMessage))

    def transcript(self) -> Path:
        """Return the only transcript."""
        (path,) = self.instance.sessions.glob("*.jsonl")
        return path
