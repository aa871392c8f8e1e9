"""The configuration file on disk, in the words of the core."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nanobot_documents.document import Changed, DocumentError
from nanobot_documents.document import Document as JsonDocument
from nanobot_settings.keys import warning

from nanobot.errors import ConfigError
from nanobot.findings import Finding


class Document(JsonDocument):
    """The content of a configuration file, as it is written there."""

    __slots__ = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return what was noticed, and put right, while reading."""
        mode = f"{self.exposed:04o}"
        if self.closed:
            fixed = f"the file's mode was {mode}: others could read it; now it is 0600"
            return (warning((), fixed),)
        if self.exposed:
            remedy = "run chmod 600 on the file"
            return (warning((), f"others can read it (mode {mode})", remedy),)
        return ()


def read_document(path: Path) -> Document:
    """Read a configuration file; a missing one is empty. One that others may read gets mode 0600.

    Raises:
        ConfigError: It can not be read, or is not a JSON object; it is left as it is.
    """
    try:
        return Document.read(path)
    except DocumentError as refused:
        raise ConfigError(str(refused), remedy=refused.remedy) from None


def save_document(document: Document, data: Mapping[str, Any]) -> Document:
    """Replace the file's content in one step and return the new document.

    Raises:
        ConfigError: The file was changed since it was read, or can not be written; nothing is
            changed on disk.
    """
    try:
        return document.save(data)
    except Changed as refused:
        raise ConfigError(str(refused), remedy="Run the command again.") from None
    except DocumentError as refused:
        raise ConfigError(str(refused)) from None
    except ValueError:
        raise ConfigError("the new configuration holds a value that JSON can not hold") from None
