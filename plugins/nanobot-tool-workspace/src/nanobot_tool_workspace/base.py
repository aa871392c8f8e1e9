"""What a file in ``{workspace}/tools`` builds on; it imports it from ``nanobot.agent.tools``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolContext:
    """What a tool may know when it is made.

    Args:
        workspace: The workspace, absolute.
        allowed_dir: The folder that the tool should keep to.
        working_dir: The same as a text, for commands.
        exec_timeout: Seconds after which a command should be stopped.
        restrict_to_workspace: The tool should touch nothing outside `allowed_dir`.
        brave_api_key: Always None: keys stay with the plugins they are configured for.
    """

    workspace: Path
    allowed_dir: Path | None
    working_dir: str
    exec_timeout: int = 60
    restrict_to_workspace: bool = True
    brave_api_key: str | None = None


class Failure(str):
    """A result that tells the model what went wrong; made by `Tool.error`."""

    __slots__ = ()


class Tool(ABC):
    """A tool in the workspace.

    Subclass it in ``{workspace}/tools/<any>.py``. A constructor with a parameter ``context`` is
    given a `ToolContext`, any other is called without arguments. One object serves all calls.
    """

    read_only = False
    """True for a tool that changes nothing: calls may overlap, and be repeated after a crash."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Return what the model calls it by: letters, digits, ``_`` and ``-``."""

    @property
    @abstractmethod
    def description(self) -> str:
        """Tell the model when and how to use it."""

    @property
    @abstractmethod
    def parameters(self) -> Mapping[str, Any]:
        """Return a JSON Schema of the arguments, of type ``object``."""

    @abstractmethod
    async def execute(self, **kwargs: Any) -> str:
        """Do it, and return what the model reads.

        The arguments are valid against `parameters`. It runs in the event loop of the agent, so
        what blocks belongs into ``asyncio.to_thread``.
        """

    @staticmethod
    def error(text: str) -> str:
        """Return a result that says what went wrong."""
        return Failure(text)
