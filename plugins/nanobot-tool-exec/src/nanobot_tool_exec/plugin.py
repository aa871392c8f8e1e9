"""What this plugin offers: the tool ``exec``."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.messages import Effect, Effects, Role
from nanobot.specs import ToolDefinition, ToolSpec

from nanobot_tool_exec.config import ExecConfig

EXEC = ToolDefinition(
    name="exec",
    description=(
        "Run a shell command and return its output and exit code. `command` is required. "
        "Standard input is closed, so pass flags such as -y instead of answering questions. "
        "Everything that the command started is stopped when it ends, so nothing keeps running "
        "in the background. Prefer the file tools for reading and editing files."
    ),
    parameters={
        "type": "object",
        "properties": {
            "command": {"type": "string", "description": "The command, as typed into bash."},
            "cmd": {"type": "string", "description": "The same as `command`."},
            "working_dir": {
                "type": "string",
                "description": "Folder to run in; the workspace when left out.",
            },
            "workdir": {"type": "string", "description": "The same as `working_dir`."},
            "timeout": {
                "type": "integer",
                "minimum": 1,
                "description": "Seconds after which the command is stopped, at most 600.",
            },
            "max_output_chars": {
                "type": "integer",
                "minimum": 1,
                "description": "Longest output to return, 1000 to 50000 characters; of more, the "
                "beginning and the end are kept. 10000 when left out.",
            },
        },
        "additionalProperties": False,
    },
    effects=Effects(
        touches=frozenset({Effect.EXEC, Effect.FS_READ, Effect.FS_WRITE, Effect.NET}),
    ),
    # The tool keeps its own time limit, which configuration may lift. This is a week.
    deadline_s=7 * 86_400.0,
    role=Role.USER,
)


@hookimpl
def nanobot_tools() -> list[ToolSpec]:
    """Return the shell tool."""
    return [
        ToolSpec(
            name="exec",
            factory="nanobot_tool_exec.tool:open_tool",
            config=ExecConfig,
            title="Shell",
            tools=(EXEC,),
        )
    ]
