"""The contract of a service: a task that lives with the gateway."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from nanobot.context import PluginContext
from nanobot.messages import Inbound

from nanobot_gateway.channel import Accepted, Outgoing
from nanobot_gateway.store import Store


class Service(Protocol):
    """What a `ServiceSpec` factory opens."""

    async def run(self) -> None:
        """Work until cancelled. Raising means failure: the gateway waits a little and calls again.

        Returning means that there is nothing more to do.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """How a gateway fares.

    Args:
        ok: Everything that is wanted runs.
        parts: State of each channel and service by its id, such as ``running`` or ``failed: ...``.
        problems: What is not as wanted, in words, a line each.
        counters: Numbers that only grow, and sizes of queues, by name.
    """

    ok: bool
    parts: Mapping[str, str]
    problems: Sequence[str]
    counters: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceContext(PluginContext):
    """What a service's factory receives.

    Args:
        submit: Puts a message before the agent as if it had come in; returns once it is stored.
            Its id must be the same when the same is submitted again.
        send: Puts a message into the outbox; returns once it is stored.
        store: The gateway's store.
        health: Returns how the gateway fares.
        ready: Says that the service is up.
        open: Opens a plugin of another kind that the configuration names, by kind and name.
    """

    submit: Callable[[Inbound], Awaitable[Accepted]]
    send: Callable[[Outgoing], Awaitable[None]]
    store: Store
    health: Callable[[], Health]
    ready: Callable[[], None]
    open: Callable[[str, str], Awaitable[Any]]
