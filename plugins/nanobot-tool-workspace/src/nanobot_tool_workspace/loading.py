"""From a file's content to tools; what is wrong with one file harms no other."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType

from nanobot.errors import describe
from nanobot.messages import Effect, Effects, Role
from nanobot.specs import ToolDefinition

from nanobot_tool_workspace.base import Tool, ToolContext
from nanobot_tool_workspace.sources import Source

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ANYTHING = Effects(touches=frozenset(Effect) - {Effect.SEND, Effect.SPEND})
_READING = Effects(touches=frozenset({Effect.FS_READ, Effect.NET}), read_only=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """A tool that is ready, and how a model sees it."""

    tool: Tool
    definition: ToolDefinition


class Shelf:
    """The tools of all files; the first file wins a name.

    Args:
        context: What the tools are given.
    """

    def __init__(self, context: ToolContext) -> None:
        self.tools: dict[str, Loaded] = {}
        self.problems: list[str] = []
        self._context = context
        self._modules: list[str] = []

    def load(self, source: Source) -> None:
        """Run a file and take its tools; blocks as long as the file does."""
        try:
            classes = self._classes(source)
        except (Exception, SystemExit) as error:
            self.problems.append(f"{source.name}: {describe(error)}")
            return
        if not classes:
            self.problems.append(f"{source.name}: it defines no subclass of Tool")
        for made in classes:
            try:
                loaded = _made(made, self._context)
            except (Exception, SystemExit) as error:
                self.problems.append(f"{source.name}: {made.__name__}: {describe(error)}")
                continue
            name = loaded.definition.name
            if name in self.tools:
                self.problems.append(f"{source.name}: an earlier file has a tool {name!r} already")
            else:
                self.tools[name] = loaded

    def _classes(self, source: Source) -> Sequence[type[Tool]]:
        """Run exactly the content that was read; the file is not opened again."""
        module = ModuleType(f"nanobot_workspace_tool_{source.digest[:16]}")
        module.__file__ = str(source.path)
        sys.modules[module.__name__] = module  # dataclasses and pickles look it up there
        self._modules.append(module.__name__)
        code = compile(source.data, str(source.path), "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102 - the owner has approved this content
        return [
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, Tool)
            and value.__module__ == module.__name__
            and not inspect.isabstract(value)
        ]

    def clear(self) -> None:
        """Let the modules go."""
        self.tools.clear()
        for name in self._modules:
            sys.modules.pop(name, None)


def _made(made: type[Tool], context: ToolContext) -> Loaded:
    """Make a tool and look at how it describes itself."""
    takes_context = "context" in inspect.signature(made).parameters
    tool = made(context=context) if takes_context else made()  # type: ignore[call-arg]
    name, description, parameters = tool.name, tool.description, tool.parameters
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError("`name` must be 1 to 64 letters, digits, _ and -")
    if not isinstance(description, str) or not description.strip():
        raise ValueError("`description` must be a text")
    if not isinstance(parameters, Mapping) or parameters.get("type") != "object":
        raise ValueError('`parameters` must be a JSON Schema with "type": "object"')
    if not inspect.iscoroutinefunction(tool.execute):
        raise ValueError("`execute` must be an async method")
    schema = json.loads(json.dumps({"properties": {}, **parameters}))
    definition = ToolDefinition(
        name=name,
        description=description,
        parameters=schema,
        effects=_READING if tool.read_only is True else _ANYTHING,
        role=Role.USER,
    )
    return Loaded(tool=tool, definition=definition)
