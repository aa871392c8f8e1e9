"""A model server that resets, stalls, floods and talks nonsense: a turn says so, others go on."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from nanobot.messages import FinishReason, Usage
from nanobot.provider import ModelFinish, ModelText
from nanobot_testing import run
from nanobot_testing.servers.chat import ChatServer
from nanobot_testing.servers.wire import Act, Reply, Request, sse

IDLE_S = "0.3"
NOISE = bytes(range(256)) * 8


class Server(ChatServer):
    """Answers every chat but one, and that one too once it is mended."""

    def __init__(self) -> None:
        super().__init__()
        self.fault: Callable[[Server], Reply] | None = None
        self.broken = asyncio.Event()

    def answer(self, request: Request) -> Reply:
        if request.method == "GET":
            return super().answer(request)
        words = json.dumps(request.json["messages"][-1])
        word = words[words.rindex("#") :].partition(".")
        number = "".join(itertools.takewhile(str.isdigit, word[2]))
        if word[0] == "#bad" and self.fault:
            self.broken.set()
            return self.fault(self)
        return self.text(f"heard {word[0]}.{number}")

    @staticmethod
    async def _write(reader: Any, writer: Any, reply: Reply) -> bool:
        if isinstance(reply, Flood):
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
            (piece,) = reply.body
            for _ in range(reply.most):
                writer.write(piece)
                await writer.drain()
            reply.over.set()
            return False
        return await ChatServer._write(reader, writer, reply)


@dataclass(frozen=True, kw_only=True)
class Flood(Reply):
    """A piece that is sent again and again: so often, or until nobody reads any more.

    Args:
        over: Set when all of it was taken.
    """

    most: int = 2**62
    over: asyncio.Event = field(default_factory=asyncio.Event)


FAULTS: dict[str, Callable[[Server], Reply]] = {
    "resets at once": lambda server: Reply(body=[Act.RESET]),
    "resets in an answer": lambda server: server.text("half an ", Act.RESET),
    "closes in an answer": lambda server: server.text("half an ", Act.CLOSE),
    "says nothing": lambda server: Reply(body=[Act.HANG]),
    "stalls in an answer": lambda server: server.text("half an ", Act.HANG),
    "is overloaded": lambda server: server.failure("overload"),
    "sends a page": lambda server: server.failure("garbage"),
    "sends noise": lambda server: Reply(body=[NOISE] * 20),
    "sends broken JSON": lambda server: Reply(body=[sse("{broken")] * 3),
    "sends JSON of another shape": lambda server: Reply(body=[sse([1, {"choices": 7}])] * 3),
    "ends without an end": lambda server: Reply(body=[server.chunk({"content": "half an "})]),
}


async def with_server(house: Any, clock: Any, work: Callable[[Any, Server], Awaitable[Any]]) -> Any:
    """Run a gateway whose model is a server."""
    async with Server() as server:
        house.defaults.update(provider="custom", model="test-model")
        house.config["providers"] = {"custom": {"apiBase": server.base_url}}
        async with house.gateway(clock=clock) as gateway:
            return await work(gateway, server)


async def settled(gateway: Any) -> None:
    await gateway.sessions.drained()
    await gateway.outbox.drained()


def is_honest(texts: list[str]) -> bool:
    """Tell whether a chat was told once, at the end, that its answer is none."""
    return bool(texts) and ["⚠" in text for text in texts] == [False] * (len(texts) - 1) + [True]


@pytest.fixture
def served(house: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a house whose model may be a server that is given little time."""
    monkeypatch.setenv("NANOBOT_STREAM_IDLE_TIMEOUT_S", IDLE_S)
    house.use("providers.custom", None)
    house.wire["sendProgress"] = False
    return house


@pytest.mark.parametrize("fault", FAULTS)
def test_a_turn_ends_honestly(served: Any, jumpy: Any, fault: str) -> None:
    async def work(gateway: Any, server: Server) -> None:
        says = served.platform.says
        await says("bad")
        await says("good")
        await settled(gateway)
        server.fault = FAULTS[fault]
        await says("bad")
        await server.broken.wait()
        for _ in range(3):
            await says("good")
            await settled_chat(served, "good")
        await settled(gateway)
        told = served.platform.texts("bad")[1:]
        assert is_honest(told), told
        assert "#bad" not in "".join(told)
        server.fault = None
        await says("bad")
        await settled(gateway)

    run(with_server(served, jumpy, work))
    assert served.ledger.lost == ["#bad.1"] and not served.ledger.doubled, served.ledger


async def settled_chat(house: Any, chat: str) -> None:
    """Wait until all that was said in a chat is answered, whatever becomes of the others."""
    said = {word for word in house.ledger.said if word.startswith(f"#{chat}.")}
    await house.platform.until(lambda: said <= set(house.ledger.answered))


def test_the_detector_sees_half_an_answer_that_is_passed_off_as_one(house: Any) -> None:
    """Negative control: a provider that takes the end of a broken stream for that of an answer."""

    class Lenient:
        async def stream(self, request: Any) -> Any:
            with suppress(ConnectionError):
                yield ModelText(text="half an ")
                raise ConnectionResetError
            yield ModelFinish(reason=FinishReason.STOP, usage=Usage())

    house.brain = Lenient()

    async def work(gateway: Any) -> None:
        await house.platform.says("bad")
        await settled(gateway)

    house.run(work)
    assert not is_honest(house.platform.texts("bad"))


# --- a flood ------------------------------------------------------------------------------------

FLOODS: dict[str, Callable[[Server], bytes]] = {
    "words": lambda server: server.chunk({"content": "x" * 500}),
    "thoughts": lambda server: server.chunk({"reasoning_content": "x" * 500}),
    "arguments": lambda server: server.chunk(
        {"tool_calls": [{"index": 0, "id": "1", "function": {"name": "f", "arguments": "x" * 500}}]}
    ),
    "comments": lambda server: b": still here\n\n" * 40,
}


async def flooded(house: Any, gateway: Any, server: Server, flood: Flood) -> list[str]:
    """Talk while a flood comes in, and return what its chat was told."""
    server.fault = lambda server: flood
    await house.platform.says("bad")
    await server.broken.wait()
    for _ in range(5):
        await house.platform.says("good")
        await settled_chat(house, "good")
    assert not house.platform.texts("bad"), "the flood was over too soon: nothing was tested"
    await settled(gateway)
    server.fault = None
    await house.platform.says("bad")
    await settled(gateway)
    told: list[str] = house.platform.texts("bad")
    return told[:-1]


@pytest.mark.parametrize("flood", FLOODS)
def test_an_endless_answer_ends_with_its_time(served: Any, jumpy: Any, flood: str) -> None:
    served.defaults["turnTimeoutS"] = 1.0

    async def work(gateway: Any, server: Server) -> None:
        told = await flooded(served, gateway, server, Flood(body=[FLOODS[flood](server)]))
        assert is_honest(told), [text[-200:] for text in told]

    run(with_server(served, jumpy, work), seconds=60)
    assert served.ledger.lost == ["#bad.0"] and not served.ledger.doubled, served.ledger


@pytest.mark.parametrize(
    "piece",
    [
        pytest.param(FLOODS["words"], id="words"),
        pytest.param(FLOODS["thoughts"], id="thoughts"),
        pytest.param(FLOODS["arguments"], id="arguments"),
        pytest.param(lambda server: b"x" * 500, id="a line"),
    ],
)
def test_an_endless_answer_ends_before_it_fills_the_memory(
    served: Any, jumpy: Any, piece: Callable[[Server], bytes]
) -> None:
    """A server that sends a thousand times what it was asked for is not read to the end."""

    async def work(gateway: Any, server: Server) -> None:
        much = Flood(body=[piece(server)], most=24 * 2**20 // len(piece(server)))
        server.fault = lambda server: much
        await served.platform.says("bad")
        await settled(gateway)
        assert not much.over.is_set()

    run(with_server(served, jumpy, work), seconds=60)


def test_the_detector_sees_who_waits_for_a_flood(served: Any, jumpy: Any) -> None:
    """Negative control: an instance whose chats all share one session."""
    served.defaults["turnTimeoutS"] = 1.0
    served.defaults["unifiedSession"] = True

    async def work(gateway: Any, server: Server) -> None:
        with pytest.raises(AssertionError, match="too soon"):
            await flooded(served, gateway, server, Flood(body=[FLOODS["comments"](server)]))

    run(with_server(served, jumpy, work), seconds=60)
