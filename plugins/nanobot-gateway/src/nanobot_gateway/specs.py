"""What plugins of the gateway offer, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nanobot.specs import Spec

from nanobot_gateway.config import ChannelConfig

Unit = Literal["characters", "utf16", "bytes"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelSpec(Spec):
    """A chat app; its factory opens a `nanobot_gateway.channel.Channel`.

    Args:
        config: Model of its section, a subclass of `ChannelConfig`.
        capabilities: What the opened object can do beside sending, by the names of the protocols
            in `nanobot_gateway.channel`: ``edits`` (`Edits`), ``events`` (`Events`), ``typing``
            (`Typing`).
        max_length: Longest text of one message, in `unit`; 0 for no limit. Longer answers are
            split.
        unit: How the platform counts: characters, UTF-16 code units, or bytes of UTF-8.
        deduplicates: The platform drops a message that is sent twice with the same
            `Outgoing.id`; what was being sent in a crash is then sent again.
        pairing: Strangers who write directly are offered a pairing code.
        local: The channel itself sees to it that only its owner reaches it, as by a token.
    """

    config: type[ChannelConfig] = ChannelConfig
    capabilities: frozenset[str] = frozenset()
    max_length: int = 0
    unit: Unit = "characters"
    deduplicates: bool = False
    pairing: bool = True
    local: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceSpec(Spec):
    """A task that lives with the gateway; its factory opens a `nanobot_gateway.service.Service`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreSpec(Spec):
    """Where messages are kept; its factory opens a `nanobot_gateway.store.Store`."""
