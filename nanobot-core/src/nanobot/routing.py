"""The question which provider answers for a model, and the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nanobot.specs import ProviderSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A provider that could answer.

    Args:
        spec: What it offers.
        has_key: A key is configured or in the environment, or none is needed.
        configured: Its section is present in the configuration.
        base_url: The address configured for it, empty for the default.
        reachable: A local server of this kind was found running; only looked for when nothing else
            is configured.
        env_key: The environment variable that gave the key, empty when configuration did.
    """

    spec: ProviderSpec
    has_key: bool = False
    configured: bool = False
    base_url: str = ""
    reachable: bool = False
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
