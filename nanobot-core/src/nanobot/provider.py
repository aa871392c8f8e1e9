"""The contract of a model provider: one request in, a stream of model events out.

A stream yields any number of `ModelText` and `ModelReasoning`, then exactly one `ModelFinish`, and
nothing after it. Failures are raised as `nanobot.errors.ProviderError` of the right class, before
or in the midst of the stream. Closing the stream early (``aclose``) must close the connection.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from nanobot.messages import FinishReason, Message, ReasoningBlock, ToolCall, Usage
from nanobot.specs import ToolDefinition


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A named piece of the system prompt; byte-stable between turns, so that prompt caches hit."""

    name: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRequest:
    """Everything that one model call needs, in no vendor's dialect.

    Args:
        model: Model id without provider prefix.
        system: The system prompt, in order.
        messages: The conversation, oldest first; always starts with a user message.
        tools: What the model may call, in a stable order.
        tool_choice: ``none`` forbids calls even if history contains some.
        max_tokens: Most tokens to answer with.
        temperature: Sampling temperature, None for the vendor's default.
        reasoning_effort: none, minimal, low, medium, high, xhigh, max or adaptive; None for the
            vendor's default.
        cache_key: Stable per session; for vendors that route cache hits by a key.
    """

    model: str
    system: tuple[Segment, ...]
    messages: tuple[Message, ...]
    tools: tuple[ToolDefinition, ...] = ()
    tool_choice: Literal["auto", "none"] = "auto"
    max_tokens: int = 8192
    temperature: float | None = None
    reasoning_effort: str | None = None
    cache_key: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelText:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelReasoning:
    """A piece of the model's reasoning."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelFinish:
    """The end of an answer.

    Args:
        reason: Why the model stopped.
        tool_calls: All tool calls, whole, in the model's order, with unique ids.
        reasoning: What must be kept for the vendor to read again.
        usage: What the call used; ``estimated`` when the vendor said nothing.
        model: The model that answered, as the vendor names it.
    """

    reason: FinishReason
    usage: Usage
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: tuple[ReasoningBlock, ...] = ()
    model: str = ""


ModelEvent = ModelText | ModelReasoning | ModelFinish


class Provider(Protocol):
    """A model vendor, opened with its configuration."""

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Answer a request; see the module's text for the order of events.

        Raises:
            ProviderError: of the class that says what to do about it.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelInfo:
    """A model that a vendor offers.

    Args:
        context_window: Tokens, 0 when the vendor does not say.
    """

    id: str
    context_window: int = 0


@runtime_checkable
class ModelLister(Protocol):
    """A provider that can say which models its vendor offers right now."""

    async def list_models(self) -> Sequence[ModelInfo]:
        """Ask the vendor; raises ProviderError like `Provider.stream`."""
        ...
