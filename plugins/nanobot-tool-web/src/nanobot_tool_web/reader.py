"""The contract of a reader of pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Mode = Literal["markdown", "text"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Readout:
    """What a page says.

    Args:
        text: The page's content, its title first.
        extractor: How it was read, such as ``readability``.
    """

    text: str
    extractor: str


class Reader(Protocol):
    """What a plugin of kind ``fetch`` opens."""

    async def read(
        self,
        url: str,
        *,
        body: bytes = b"",
        media_type: str = "",
        mode: Mode = "markdown",
        proxy: str | None = None,
    ) -> Readout:
        """Return what a page says.

        Args:
            url: The page's address, without user name, password and fragment.
            body: The page; remote readers get it by themselves.
            media_type: Content type of the body, with its parameters.
            proxy: Proxy URL of ``tools.web``, for remote readers without one of their own.

        Raises:
            nanobot.errors.ToolError: It can not be read; the tool then tries another reader.
        """
        ...
