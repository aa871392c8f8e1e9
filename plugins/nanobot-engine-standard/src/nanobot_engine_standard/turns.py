"""One turn: what was said in it, what the model answered, and what its tool calls came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nanobot.messages import (
    AssistantMessage,
    Message,
    Origin,
    Principal,
    ReasoningBlock,
    Role,
    StopReason,
    Target,
    ToolCall,
    ToolResult,
    ToolUse,
    Usage,
    UserMessage,
)

from nanobot_engine_standard import tokens
from nanobot_engine_standard.foreign import noted_message, noted_result

INTERRUPTED = ToolResult.error(
    "interrupted",
    "The call was interrupted; whether it took effect is unknown. Check before you repeat it.",
)
_UNANSWERED = {
    StopReason.ERROR: "[No answer: the model could not be reached or failed.]",
    StopReason.CANCELLED: "[No answer: the user stopped the turn.]",
}
_INTERRUPTED_TURN = "[No answer: the turn was interrupted.]"
NEVER_RAN = frozenset({"interrupted", "unknown_outcome", "not_run", "unknown_tool"})


def joined(first: UserMessage, second: UserMessage) -> UserMessage:
    """Return two messages of the user as one; what is volatile in them comes last."""
    return UserMessage(
        parts=first.parts + second.parts,
        context="\n".join(filter(None, (first.context, second.context))),
    )


@dataclass(slots=True)
class Step:
    """One model answer and what its tool calls came to.

    Args:
        continues: It goes on where the answer before it was cut off.
        finish: Why the model stopped; empty for words that are not the model's.
        stop: The turn's end, when this answer is its last; empty when it is not, or not known.
    """

    text: str
    calls: tuple[ToolCall, ...] = ()
    reasoning: tuple[ReasoningBlock, ...] = ()
    results: dict[str, ToolResult] = field(default_factory=dict)
    continues: bool = False
    finish: str = ""
    stop: str = ""
    _made: tuple[AssistantMessage, int] | None = None

    def open_calls(self) -> list[ToolCall]:
        """Return the tool calls that have no result."""
        return [call for call in self.calls if call.id not in self.results]

    def message(self) -> AssistantMessage:
        """Return the step as a message; calls without a result count as interrupted."""
        return self.sized()[0]

    def sized(self) -> tuple[AssistantMessage, int]:
        """Return the message and its tokens; both are kept once all results are there."""
        if self._made is not None:
            return self._made
        message = AssistantMessage(
            text=self.text,
            reasoning=self.reasoning,
            tool_uses=tuple(
                ToolUse(call=call, result=noted_result(self.results.get(call.id, INTERRUPTED)))
                for call in self.calls
            ),
        )
        made = message, tokens.of_message(message)
        if len(self.results) == len(self.calls):
            self._made = made
        return made


@dataclass(slots=True)
class TurnRecord:
    """A user's message and everything that came of it.

    Args:
        user: What it began with.
        steps: The model's answers, and what the user said meanwhile.
        keys: Of the messages in it.
        speaker: Who began it, as recorded.
        place: The chat that it answers, as recorded.
        final: The final answer, where it is not simply what the last steps said.
        tools: Names of the tools that ran, once it has ended.
        resumed: How often it was taken up again after an interruption.
    """

    id: str
    user: UserMessage
    origin: Origin = Origin.USER
    steps: list[Step | UserMessage] = field(default_factory=list)
    stop_reason: str = ""
    keys: set[tuple[str, str, str, str]] = field(default_factory=set)
    speaker: Mapping[str, Any] = field(default_factory=dict)
    place: Mapping[str, Any] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    error: str = ""
    final: str | None = None
    tools: tuple[str, ...] = ()
    resumed: int = 0

    def began(self, principal: Principal, target: Target) -> tuple[Principal, Target]:
        """Return who began the turn and where, as far as recorded, else what is given.

        Args:
            principal: Who speaks now; may have joined the turn of somebody else.
        """
        who, chat = self.speaker, self.place
        if who.get("role") in set(Role) and isinstance(who.get("user"), str):
            principal = Principal(
                channel=str(who.get("channel", principal.channel)),
                account=str(who.get("account", principal.account)),
                user=who["user"],
                role=min(Role(who["role"]), principal.role, key=list(Role).index),
            )
        if isinstance(chat.get("chat"), str):
            target = Target(
                channel=str(chat.get("channel", target.channel)),
                account=str(chat.get("account", target.account)),
                chat=chat["chat"],
                thread=str(chat.get("thread", "")),
            )
        return principal, target

    @property
    def ended(self) -> bool:
        """Tell whether the turn came to its end."""
        return bool(self.stop_reason)

    def answers(self) -> list[Step]:
        """Return the model's answers."""
        return [step for step in self.steps if isinstance(step, Step)]

    def open_calls(self) -> list[ToolCall]:
        """Return the tool calls that have no result."""
        return [call for step in self.answers() for call in step.open_calls()]

    def take_result(self, call: str, result: ToolResult) -> None:
        """Note what a call came to; the first result of a call counts."""
        for step in reversed(self.steps):
            if isinstance(step, Step) and any(known.id == call for known in step.calls):
                step.results.setdefault(call, result)
                return

    def ran(self) -> list[str]:
        """Return the names of the tools that have run so far, in order."""
        names = {
            call.name: None
            for step in self.answers()
            for call in step.calls
            if call.id in step.results and step.results[call.id].kind not in NEVER_RAN
        }
        return list(names)

    def pieces(self) -> list[Step]:
        """Return the answers that make up the last text, which may have been cut off and go on."""
        found: list[Step] = []
        for step in reversed(self.steps):
            if not isinstance(step, Step) or step.calls:
                break
            found.append(step)
            if not step.continues:
                break
        return found[::-1]

    def content(self) -> str:
        """Return the final answer, or what was said last."""
        if self.final is not None:
            return self.final
        return "".join(step.text for step in self.pieces())

    def messages(self) -> tuple[list[Message], int]:
        """Return the turn as messages, and their tokens."""
        messages: list[Message] = []
        sizes: list[int] = []

        def put(message: Message, size: int, *, instead: bool = False) -> None:
            if instead:
                messages.pop(), sizes.pop()
            messages.append(message)
            sizes.append(size)

        for step in (self.user, *self.steps):
            last = messages[-1] if messages else None
            if isinstance(step, UserMessage):
                again = isinstance(last, UserMessage)
                said = noted_message(step)
                spoken = joined(last, said) if isinstance(last, UserMessage) else said
                put(spoken, tokens.of_message(spoken), instead=again)
                continue
            made, size = step.sized()
            if step.continues and isinstance(last, AssistantMessage) and not last.tool_uses:
                whole = AssistantMessage(
                    text=last.text + made.text,
                    reasoning=last.reasoning + made.reasoning,
                    tool_uses=made.tool_uses,
                )
                put(whole, tokens.of_message(whole), instead=True)
            elif made.text.strip() or made.tool_uses:
                put(made, size)
        last = messages[-1]
        if self.ended and (isinstance(last, UserMessage) or last.tool_uses):
            words = _UNANSWERED.get(StopReason(self.stop_reason), _INTERRUPTED_TURN)
            closing = AssistantMessage(text=words)
            put(closing, tokens.of_message(closing))
        return messages, sum(sizes)
