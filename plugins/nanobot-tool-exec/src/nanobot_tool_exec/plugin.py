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
_OUTPUT = {"type": "integer", "description": "1000 to 50000, default 10000."}

EXEC = ToolDefinition(
    name="exec",
    description=(
        "Run a shell command; returns output and exit code. stdin is empty: pass flags such as "
        "-y. All that it started is stopped when it ends. For servers, watchers and programs that "
        "ask questions give yield_time_ms and go on with write_stdin. Prefer the file tools to "
        "read and edit files."
    ),
    parameters={
        "type": "object",
        "properties": {
            "command": {"type": "string", "description": "Required."},
            "cmd": {"type": "string", "description": "= command"},
            "working_dir": {"type": "string"},
            "workdir": {"type": "string", "description": "= working_dir"},
            "timeout": {"type": "integer", "minimum": 1, "description": "Seconds, at most 600."},
            "yield_time_ms": {
                "type": "integer",
                "minimum": 0,
                "description": "At most 30000; then it goes on as a session.",
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
        "Write to a command that exec left running, wait for it, or end it. Returns what it "
        "printed since the last call."
    ),
    parameters={
        "type": "object",
        "properties": {
            "session_id": {"type": "string"},
            "chars": {"type": "string", "description": "End a line with a line feed."},
            "close_stdin": {"type": "boolean"},
            "terminate": {"type": "boolean"},
            "yield_time_ms": {
                "type": "integer",
                "minimum": 0,
                "description": "Wait for the end; default 1000, at most 30000.",
            },
            "wait_for": {"type": "string", "description": "Text to wait for in new output."},
            "wait_timeout_ms": {
                "type": "integer",
                "minimum": 0,
                "description": "Default 10000, at most 120000.",
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
    description="List the commands that exec left running.",
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
