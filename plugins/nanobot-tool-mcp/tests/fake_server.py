"""An MCP server over standard input and output, by hand, so that it can misbehave.

Usage: fake_server.py FOLDER. ``list.json`` there says what it lists, each time it is asked. What it
heard goes to ``heard.jsonl``; its process ids to ``pids``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

QUESTION = {
    "message": "Your name?",
    "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
}
FOLDER = Path(sys.argv[1])


def say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def answer(request: dict[str, Any], result: dict[str, Any]) -> None:
    say({"id": request["id"], "result": result})


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": words}], **more}


def orphan() -> int:
    """Start a process that leaves the group and the session, and ignores SIGTERM."""
    code = (
        "import os, signal\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(os.getpid(), flush=True)\n"
        "signal.pause()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", code],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    assert child.stdout
    return int(child.stdout.readline())


def call(request: dict[str, Any]) -> None:
    name, arguments = request["params"]["name"], request["params"].get("arguments", {})
    if name == "echo":
        answer(request, text(str(arguments.get("text"))))
    elif name == "arguments":
        answer(request, text(json.dumps(arguments)))
    elif name == "environment":
        answer(request, text(json.dumps(dict(os.environ))))
    elif name == "fails":
        answer(request, text("it did not work", isError=True))
    elif name == "refuses":
        error = {"code": -32602, "message": "the key sk-test-1234567890abcdef is wrong"}
        say({"id": request["id"], "error": error})
    elif name == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    elif name == "hangs":
        return
    elif name == "deaf":
        signal.pause()
    elif name == "huge":
        answer(request, text("x" * int(arguments["size"])))
    elif name == "endless":
        while True:
            sys.stdout.write("y" * 65536)
    elif name == "pollutes":
        sys.stdout.write("Starting up... 100%\n\n{not json\n" + "[1, 2]\n" * 5)
        answer(request, text("polluted"))
    elif name == "spews":
        while True:
            sys.stdout.write("y\n" * 4096)
    elif name == "forks":
        answer(request, text(str(orphan())))
    elif name == "changes":
        say({"method": "notifications/tools/list_changed"})
        answer(request, text("changed"))
    elif name == "asks":
        params = arguments.get("params", QUESTION)
        say({"id": "q", "method": "elicitation/create", "params": params})
        reply = json.loads(sys.stdin.readline())
        answer(request, text(json.dumps(reply)))
    elif name == "progresses":
        token = request["params"]["_meta"]["progressToken"]
        params = {"progressToken": token, "progress": 1, "total": 2}
        say({"method": "notifications/progress", "params": params})
        say({"method": "notifications/progress", "params": {"progressToken": 99, "progress": 1}})
        say({"method": "notifications/message", "params": {"level": "info", "data": "well"}})
        answer(request, text("done"))
    else:
        answer(request, text(f"unknown tool {name}", isError=True))


def main() -> None:
    with (FOLDER / "pids").open("a") as file:
        file.write(f"{os.getpid()}\n")
    listed = FOLDER / "list.json"
    behaviour = json.loads(listed.read_text()).get("start", "")
    if behaviour == "hang":
        signal.pause()
    if behaviour == "exit":
        sys.stderr.write("no licence: token=abcdef0123456789\n")
        sys.exit(3)
    for line in sys.stdin:
        with (FOLDER / "heard.jsonl").open("a") as file:
            file.write(line)
        request = json.loads(line)
        method = request.get("method", "")
        if method == "initialize":
            offered = {"tools": {"listChanged": True}, "prompts": {}, "resources": {}}
            version = request["params"]["protocolVersion"]
            about = {"name": "fake", "version": "1"}
            answer(
                request,
                {"protocolVersion": version, "capabilities": offered, "serverInfo": about},
            )
        elif method.endswith("/list"):
            kind = {"resources/templates/list": "resourceTemplates"}.get(
                method, method.partition("/")[0]
            )
            answer(request, {kind: json.loads(listed.read_text()).get(kind, [])})
        elif method == "tools/call":
            call(request)
        elif "id" in request and method:
            say({"id": request["id"], "error": {"code": -32601, "message": "Method not found"}})


if __name__ == "__main__":
    main()
