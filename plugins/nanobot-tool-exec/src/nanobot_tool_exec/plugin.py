"""What this plugin offers: ``exec`` and its companions, and the extension point ``sandboxes``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nanobot import hookimpl
from nanobot.findings import AdviceRequest, Finding
from nanobot.messages import Effect, Effects, Role
from nanobot.specs import KindSpec, ToolDefinition, ToolSpec

from nanobot_tool_exec.config import ExecConfig
from nanobot_tool_exec.hookspecs import Sandboxes
from nanobot_tool_exec.specs import SandboxSpec

_EFFECTS = Effects(
    touches=frozenset({Effect.EXEC, Effect.FS_READ, Effect.FS_WRITE, Effect.NET}),
)
_OUTPUT = {
    "type": "integer",
    "minimum": 1,
    "description": "Longest output to return, 1000 to 50000 characters; of more, the beginning "
    "and the end are kept. 10000 when left out.",
}

EXEC = ToolDefinition(
    name="exec",
    description=(
        "Run a shell command and return its output and exit code. `command` is required. "
        "Standard input is empty, so pass flags such as -y instead of answering questions. "
        "Everything that the command started is stopped when it ends. For a server, a watcher or "
        "a program that asks questions, give `yield_time_ms`: the command then goes on after "
        "that time, and write_stdin looks after it. Prefer the file tools for reading and "
        "editing files."
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
            "yield_time_ms": {
                "type": "integer",
                "minimum": 0,
                "description": "Return after this many milliseconds, at most 30000, and let the "
                "command go on in a session whose id is returned.",
            },
            "max_output_chars": _OUTPUT,
        },
        "additionalProperties": False,
    },
    effects=_EFFECTS,
    # The tool keeps its own time limit, which configuration may lift. This is a week.
    deadline_s=7 * 86_400.0,
    role=Role.USER,
    concurrent=True,
)

WRITE_STDIN = ToolDefinition(
    name="write_stdin",
    description=(
        "Look after a command that exec left running: write to its standard input, wait for "
        "output, or end it. Returns what it printed since the last call. With `session_id` alone "
        "it waits a moment and returns the news."
    ),
    parameters={
        "type": "object",
        "properties": {
            "session_id": {"type": "string", "description": "The id that exec returned."},
            "chars": {
                "type": "string",
                "description": "Text to write; end a line with a line feed.",
            },
            "close_stdin": {"type": "boolean", "description": "Close the standard input."},
            "terminate": {"type": "boolean", "description": "End the command and all it started."},
            "yield_time_ms": {
                "type": "integer",
                "minimum": 0,
                "description": "Milliseconds to wait for the end, at most 30000; 1000 when left "
                "out.",
            },
            "wait_for": {
                "type": "string",
                "description": "Wait until the new output holds this text, or the command ends.",
            },
            "wait_timeout_ms": {
                "type": "integer",
                "minimum": 0,
                "description": "Milliseconds to wait for that text, at most 120000; 10000 when "
                "left out.",
            },
            "max_output_chars": _OUTPUT,
        },
        "required": ["session_id"],
        "additionalProperties": False,
    },
    effects=_EFFECTS,
    deadline_s=180.0,
    role=Role.USER,
)

LIST_EXEC_SESSIONS = ToolDefinition(
    name="list_exec_sessions",
    description="List the commands that exec left running for you, with their session ids.",
    parameters={"type": "object", "properties": {}, "additionalProperties": False},
    effects=Effects(touches=frozenset({Effect.EXEC}), read_only=True),
    role=Role.USER,
)


@hookimpl
def nanobot_kinds() -> Iterable[KindSpec]:
    """Open the kind."""
    yield KindSpec(name="sandboxes", hookspecs=Sandboxes, spec=SandboxSpec, title="Sandboxes")


@hookimpl
def nanobot_tools() -> list[ToolSpec]:
    """Return the shell tool."""
    return [
        ToolSpec(
            name="exec",
            factory="nanobot_tool_exec.tool:open_tool",
            config=ExecConfig,
            title="Shell",
            tools=(EXEC, WRITE_STDIN, LIST_EXEC_SESSIONS),
        )
    ]


@hookimpl
def nanobot_advice(request: AdviceRequest) -> Iterable[Finding]:
    """Say that commands are refused for want of a sandbox."""
    tools = request.document.get("tools")
    section = tools.get("exec") if isinstance(tools, Mapping) else None
    settings = section if isinstance(section, Mapping) else {}
    wanted = settings.get("sandbox", "auto")
    installed = request.installed.get("sandboxes", ())
    if not settings.get("enabled", settings.get("enable", True)) or not wanted:
        return
    if wanted not in installed if wanted != "auto" else not installed:
        yield Finding(
            path="tools.exec.sandbox",
            severity="warning",
            message="exec refuses all commands: the sandbox that should confine them is missing",
            remedy=f"pip install nanobot-sandbox-{'bwrap' if wanted == 'auto' else wanted}, or set "
            'it to "" to run commands with all rights of your user',
        )
