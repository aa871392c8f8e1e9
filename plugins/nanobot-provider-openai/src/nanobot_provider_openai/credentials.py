"""What authorises a request when it is not a key that stays the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Credentials(Protocol):
    """Makes the headers that authorise a request; a login of `nanobot_oauth` is one.

    Attributes:
        remedy: What the user should do when they are refused for good.
    """

    @property
    def remedy(self) -> str: ...

    async def headers(self) -> Mapping[str, str]:
        """Return the headers for a request, lower case; raises `ProviderError`."""
        ...

    async def renewed(self, refused: Mapping[str, str]) -> Mapping[str, str] | None:
        """Return others after a request with these was refused (401); None when there are none."""
        ...
