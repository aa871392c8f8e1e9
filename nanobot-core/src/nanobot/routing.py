"""The contract of a router: which model is asked, on which provider, and why.

The core finds the router like any plugin; an instance has exactly one. Other plugins answer the
one question for which there can be many opinions, `nanobot_route_model`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from nanobot.engine import ModelChoice
from nanobot.specs import ProviderSpec, Spec


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A provider that could answer.

    Args:
        spec: What it offers.
        has_key: A key is configured or in the environment, or none is needed.
        configured: Its section is present in the configuration.
        base_url: The address configured for it, empty for the default.
        env_key: The environment variable that gave the key, empty when configuration did.
    """

    spec: ProviderSpec
    has_key: bool = False
    configured: bool = False
    base_url: str = ""
    env_key: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RouteRequest:
    """Which provider should answer?

    Args:
        model: Model id, empty when none is configured.
        candidates: All providers that can be used, by name.
    """

    model: str
    candidates: Mapping[str, Candidate]


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """The answer.

    Args:
        provider: Name of the provider.
        model: Model id to send, without prefix; empty to ask the provider for its first one.
        reason: Why, in words for the user.
    """

    provider: str
    model: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RouterSpec(Spec):
    """A router; its factory opens a `Router` with a `nanobot.admin.RouterContext`."""


class Router(Protocol):
    """What a `RouterSpec` factory opens."""

    notices: Sequence[str]
    """What the user should know of the choices made so far, a line each."""

    async def presets(
        self, *, model: str = "", preset: str = ""
    ) -> Mapping[str, tuple[ModelChoice, ...]]:
        """Return for each preset what to ask in turn; the empty name is the default.

        Args:
            model: Model to take as the default in place of the configured one.
            preset: Preset to take as the default.

        Raises:
            NanobotError: The default can not be used.
        """
        ...

    async def route(self, model: str, provider: str = "auto") -> Route:
        """Say which provider answers for a model, and why.

        Raises:
            NanobotError: None fits.
        """
        ...
