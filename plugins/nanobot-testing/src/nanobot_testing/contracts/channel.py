"""The contract of channels, run against a server that speaks the platform's protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pytest
from nanobot import log
from nanobot.errors import AuthError, ConfigError, StorageError
from nanobot.messages import Target, text_of
from nanobot.specs import CommandSpec
from nanobot_gateway.channel import (
    Accepted,
    Channel,
    ChannelContext,
    DeliveryError,
    Incoming,
    Outgoing,
    Verdict,
)
from nanobot_gateway.config import ChannelConfig
from nanobot_gateway.specs import ChannelSpec

from nanobot_testing.contracts.base import PluginContract
from nanobot_testing.host import run

KNOWN = {"edits", "events", "typing"}


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A message that the platform received from the channel.

    Args:
        id: What the platform calls it.
    """

    chat: str
    text: str
    id: str = ""


class Platform(Protocol):
    """A server that speaks the platform's protocol, with the people who use it."""

    @property
    def config(self) -> Mapping[str, object]:
        """Return a section that connects the channel to this server."""
        ...

    @property
    def wrong_config(self) -> Mapping[str, object] | None:
        """Return a section whose token the server refuses; None if there is no such thing."""
        ...

    async def say(
        self, text: str, *, user: str = "u1", chat: str = "", again: bool = False
    ) -> None:
        """Let a user write to the agent directly.

        Args:
            chat: The chat, empty for the user's direct one.
            again: The platform delivers its last message a second time.
        """
        ...

    async def received(self, count: int) -> Sequence[Sent]:
        """Wait until the platform holds so many messages from the channel; return all."""
        ...

    async def refuse(self, *, retryable: bool) -> None:
        """Let the next delivery fail: as a server does that is busy, or for good."""
        ...

    async def drop(self) -> None:
        """Cut the channel's connections; new ones are welcome."""
        ...


@dataclass
class Host:
    """What a channel hands its messages to.

    Attributes:
        messages: All that came in, in order.
        storage_fails: The next so many messages can not be stored.
        strangers: Senders who would not be let in.
    """

    messages: list[Incoming] = field(default_factory=list)
    storage_fails: int = 0
    strangers: set[str] = field(default_factory=set)
    readies: int = 0
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def accept(self, message: Incoming) -> Accepted:
        async with self._news:
            self._news.notify_all()
            if self.storage_fails:
                self.storage_fails -= 1
                raise StorageError("the disk is full")
            known = any(m.chat == message.chat and m.id == message.id for m in self.messages)
            self.messages.append(message)
        verdict = Verdict.DUPLICATE if known else Verdict.TURN
        return Accepted(verdict=verdict, session_key=f"test:{message.chat}", turn=message.id)

    def admits(self, message: Incoming) -> bool:
        return message.sender not in self.strangers

    async def until(self, count: int) -> list[Incoming]:
        """Wait for so many messages."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.messages) >= count)
        return self.messages

    def ready(self) -> None:
        self.readies += 1
        asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def until_ready(self, count: int = 1) -> None:
        async with self._news:
            await self._news.wait_for(lambda: self.readies >= count)


def channel_context(spec: ChannelSpec, folder: Path, host: Host, plugin: str) -> ChannelContext:
    """Return a context whose messages go to the given host."""
    media = folder / "media"
    media.mkdir(parents=True, exist_ok=True, mode=0o700)
    return ChannelContext(
        id=plugin,
        log=log.get(plugin=plugin),
        data=folder / "data" / plugin,
        options=spec.options,
        account="default",
        accept=host.accept,
        admits=host.admits,
        ready=host.ready,
        media=media,
        commands=lambda: [
            CommandSpec(name="help", factory="nowhere:open_it", description="Show all commands.")
        ],
    )


@asynccontextmanager
async def running(
    spec: ChannelSpec, config: Mapping[str, object], folder: Path, host: Host, plugin: str
) -> AsyncIterator[Channel]:
    """Open a channel, let it run as the gateway does, and wait until it is ready."""
    module, _, function = spec.factory.partition(":")
    factory = getattr(import_module(module), function)
    section = spec.config.model_validate(dict(config))
    async with factory(section, channel_context(spec, folder, host, plugin)) as channel:
        task = asyncio.create_task(_supervised(channel))
        ready = asyncio.create_task(host.until_ready())
        try:
            await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
            yield channel
        finally:
            for each in (ready, task):
                each.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await each


async def _supervised(channel: Channel) -> None:
    """Call `run` again when the connection is lost, as the gateway does."""
    while True:
        try:
            await channel.run()
        except (ConfigError, AuthError):
            raise
        except Exception as error:
            log.get().info("channel_lost", reason=str(error))
        await asyncio.sleep(0.01)


Work = Callable[[Channel, Any, Host], Awaitable[Any]]


class ChannelContract(PluginContract):
    """Promises of a channel. Subclass it, and give `platform`.

    Attributes:
        chat: A chat that the platform's users and the channel share, as `Outgoing` names it.
    """

    chat: ClassVar[str] = "u1"

    def platform(self, folder: Path) -> AbstractAsyncContextManager[Platform]:
        """Start the server."""
        pytest.fail("give the contract its platform")

    @pytest.fixture
    def connected(self, spec: ChannelSpec, tmp_path: Path) -> Callable[[Work], Any]:
        """Return a function that runs some work on a connected channel."""

        def go(work: Work) -> Any:
            async def inside() -> Any:
                async with self.platform(tmp_path) as platform:
                    host = Host()
                    async with running(
                        spec, {**self.config, **platform.config}, tmp_path, host, self.plugin
                    ) as channel:
                        return await work(channel, platform, host)

            return run(inside(), seconds=60)

        return go

    # --- what it says of itself -------------------------------------------------------------------

    def test_says_what_it_can(self, spec: ChannelSpec) -> None:
        assert spec.capabilities <= KNOWN
        assert issubclass(spec.config, ChannelConfig)
        assert spec.max_length >= 0 and spec.title

    def test_is_closed_by_default(self, spec: ChannelSpec) -> None:
        """Nobody may write before the owner says who; nothing connects unless it is switched on."""
        bare = spec.config.model_validate(dict(self.config))
        assert bare.enabled is False or "enabled" in self.config
        assert "*" not in bare.allow_from or "allowFrom" in self.config or self.local

    local: ClassVar[bool] = False
    """The channel itself makes sure that only its owner can reach it, as by a token."""

    def test_has_what_it_says_it_can(self, spec: ChannelSpec, connected: Any) -> None:
        async def work(channel: Channel, platform: Platform, host: Host) -> None:
            needs = {
                "edits": ("edit", "edit_interval_s"),
                "events": ("show",),
                "typing": ("typing",),
            }
            for capability in spec.capabilities:
                for name in needs[capability]:
                    assert hasattr(channel, name), f"{capability} needs {name}"

        connected(work)

    # --- in ---------------------------------------------------------------------------------------

    def test_a_message_comes_in(self, connected: Any) -> None:
        async def work(channel: Channel, platform: Platform, host: Host) -> None:
            await platform.say("Grüße, 世界 👋")
            (message,) = await host.until(1)
            assert text_of(message.parts).strip() == "Grüße, 世界 👋"
            assert message.id and message.sender and message.chat and message.direct

        connected(work)

    def test_a_sender_keeps_one_id(self, connected: Any) -> None:
        async def work(channel: Channel, platform: Platform, host: Host) -> None:
            await platform.say("one", user="u1")
            await host.until(1)
            await platform.say("two", user="u2")
            await host.until(2)
            await platform.say("three", user="u1")
            one, two, three = await host.until(3)
            assert one.sender == three.sender != two.sender
            assert len({m.id for m in (one, two, three)}) == 3

        connected(work)

    def test_what_is_not_stored_is_not_acknowledged(self, connected: Any) -> None:
        """A full disk: the platform keeps the message, and it comes in once there is room."""

        async def work(channel: Channel, platform: Platform, host: Host) -> None:
            host.storage_fails = 1
            await platform.say("precious")
            await self.after_a_refusal(platform)
            (message, *_) = await host.until(1)
            assert text_of(message.parts).strip() == "precious"

        connected(work)

    async def after_a_refusal(self, platform: Platform) -> None:
        """Do what makes the platform deliver again; nothing where the channel asks by itself."""

    def test_a_delivery_that_is_repeated_has_the_same_id(self, connected: Any) -> None:
        async def work(channel: Channel, platform: Platform, host: Host) -> None:
            await platform.say("once")
            await host.until(1)
            await platform.say("once", again=True)
            await platform.say("after")
            seen = await self._up_to(host, "after")
            ids = [m.id for m in seen if text_of(m.parts).strip() == "once"]
            assert len(set(ids)) == 1

        connected(work)

    @staticmethod
    async def _up_to(host: Host, text: str) -> list[Incoming]:
        count = 1
        while text not in [text_of(m.parts).strip() for m in host.messages]:
            count = len(host.messages) + 1
            await host.until(count)
        return host.messages

    # --- out --------------------------------------------------------------------------------------

    def _message(self, text: str, n: int = 1) -> Outgoing:
        channel = self.plugin.partition(".")[2]
        return Outgoing(id=f"out-{n}", target=Target(channel=channel, chat=self.chat), text=text)

    def test_a_message_goes_out(self, connected: Any) -> None:
        async def work(channel: Channel, platform: Platform, host: Host) -> None:
            await self.before_sending(platform, host)
            sent = await channel.send(self._message("Hello, *Ångström*."))
            (message, *_) = await platform.received(1)
            assert "Ångström" in message.text
            assert isinstance(sent, str) and (not message.id or sent == message.id)

        connected(work)

    async def before_sending(self, platform: Platform, host: Host) -> None:
        """Do what a chat needs before the channel can write to it."""

    def test_messages_to_a_chat_keep_their_order(self, connected: Any) -> None:
        async def work(channel: Channel, platform: Platform, host: Host) -> None:
            await self.before_sending(platform, host)
            for n in range(5):
                await channel.send(self._message(f"number {n}", n))
            texts = [m.text for m in await platform.received(5)]
            assert [n for n in range(5) if f"number {n}" in texts[n]] == [0, 1, 2, 3, 4]

        connected(work)

    @pytest.mark.parametrize("retryable", [True, False])
    def test_a_refused_delivery_is_told(self, connected: Any, retryable: bool) -> None:
        async def work(channel: Channel, platform: Platform, host: Host) -> None:
            await self.before_sending(platform, host)
            await platform.refuse(retryable=retryable)
            with pytest.raises(DeliveryError) as caught:
                await channel.send(self._message("no"))
            assert caught.value.retryable is retryable
            await channel.send(self._message("yes", 2))

        connected(work)

    # --- the connection ---------------------------------------------------------------------------

    def test_a_lost_connection_is_made_anew(self, connected: Any) -> None:
        async def work(channel: Channel, platform: Platform, host: Host) -> None:
            await platform.say("before")
            await host.until(1)
            await platform.drop()
            await self.reconnected(platform, host)
            await platform.say("after")
            await self._up_to(host, "after")

        connected(work)

    async def reconnected(self, platform: Platform, host: Host) -> None:
        """Wait until the channel is connected again, where the platform needs that."""

    def test_a_wrong_token_is_final_and_says_what_to_do(
        self, spec: ChannelSpec, tmp_path: Path
    ) -> None:
        async def inside() -> Exception | None:
            async with self.platform(tmp_path) as platform:
                if platform.wrong_config is None:
                    return None
                section = {**self.config, **platform.config, **platform.wrong_config}
                try:
                    async with running(spec, section, tmp_path, Host(), self.plugin):
                        return AssertionError("it is ready with a wrong token")
                except (ConfigError, AuthError) as error:
                    return error

        error = run(inside(), seconds=60)
        if error is not None:
            assert isinstance(error, ConfigError | AuthError), error
            assert error.remedy or "channels." in error.message
            for value in _texts(self.config):
                assert value not in str(error)

    def test_can_be_cancelled_and_opened_again(self, spec: ChannelSpec, tmp_path: Path) -> None:
        async def inside() -> None:
            async with self.platform(tmp_path) as platform:
                for _ in range(2):
                    host = Host()
                    async with running(
                        spec, {**self.config, **platform.config}, tmp_path, host, self.plugin
                    ):
                        assert host.readies == 1

        run(inside(), seconds=60)


def _texts(config: Mapping[str, object]) -> list[str]:
    return [v for k, v in config.items() if isinstance(v, str) and "token" in k.lower()]
