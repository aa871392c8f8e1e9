"""Whose a key is by its beginning, and whose an address by its host."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from nanobot.specs import ProviderSpec


def is_at(url: str, place: str) -> bool:
    """Tell whether an address is at a host, or a subdomain of it, and below the path named.

    Args:
        place: As in `ProviderSpec.base_hosts`: ``openrouter.ai``, ``opencode.ai/zen/go``.
    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return False
    wanted, _, path = place.partition("/")
    below = not path or f"{parts.path}/".startswith(f"/{path}/")
    return below and (host == wanted or host.endswith(f".{wanted}"))


def owner_of_address(url: str, specs: Iterable[ProviderSpec]) -> ProviderSpec | None:
    """Return the vendor whose API an address is; the one that names it most precisely."""
    found = [(len(place), spec) for spec in specs for place in spec.base_hosts if is_at(url, place)]
    return max(found, key=lambda item: item[0])[1] if found else None


def owner_of_key(key: str, specs: Iterable[ProviderSpec]) -> ProviderSpec | None:
    """Return the vendor whose keys begin like this one, None when that does not tell."""
    return next((spec for spec in specs if key.startswith(spec.key_prefixes)), None)
