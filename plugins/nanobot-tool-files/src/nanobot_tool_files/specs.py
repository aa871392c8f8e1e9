"""What a plugin of kind ``reader`` offers, as data."""

from __future__ import annotations

from dataclasses import dataclass

from nanobot.specs import Spec


@dataclass(frozen=True, kw_only=True, slots=True)
class ReaderSpec(Spec):
    """Documents that read_file can show.

    Its factory opens a `nanobot_tool_files.extract.DocumentReader`.

    Args:
        suffixes: Endings of the files' names, in lower case with the dot, such as ``.pdf``.
    """

    suffixes: tuple[str, ...] = ()
