"""Remember something, and say what is remembered.

What is new goes behind the last line of ``memory/MEMORY.md``, by an edit that leaves all other
lines as they are, so nothing that is written there can get lost.
"""

from __future__ import annotations

import re

from nanobot.messages import ToolResult

from nanobot_provider_offline import texts
from nanobot_provider_offline.situation import Say, Situation, Step, Use

PATH = "memory/MEMORY.md"

_NUMBERED = re.compile(r"^ *(\d+)\| ?(.*)$", re.MULTILINE)
_LONGEST_FACT = 500


def remember(now: Situation, fact: str) -> Step:
    """Read the memory file, then add a line to it, then say so."""
    line = "- " + " ".join(fact.split())[:_LONGEST_FACT]
    if written := now.result("edit_file"):
        if written.is_error:
            return Say(text=texts.failed(written.text))
        return Say(text=f"I wrote it into `{PATH}`:\n\n{line}")
    if not {"read_file", "edit_file"} <= set(now.tools):
        return Say(text=texts.without_tool("nanobot-tool-files"))
    read = now.result("read_file")
    if read is None:
        # Without this, a file that was read before may come as a note that it has not changed.
        again: dict[str, object] = {"force": True} if now.knows("read_file", "force") else {}
        return Use(
            text="Let me look at what I know already.\n\n",
            tool="read_file",
            arguments={"path": PATH, **again},
        )
    if read.is_error and read.kind != "not_found":
        return Say(text=texts.failed(read.text))
    return _add(now, read, line)


def recall(now: Situation) -> Step:
    """Say what the memory section of the prompt holds."""
    lines = [line for line in now.memory.splitlines() if line.strip() and line[0] != "#"]
    if not lines:
        return Say(text="Nothing yet. Say `remember that I like tea`, and I will.")
    return Say(text="This is what I remember:\n\n" + "\n".join(lines))


def _add(now: Situation, read: ToolResult, line: str) -> Step:
    """Put a line behind the last one; an empty or missing file gets a heading, too."""
    lines = [] if read.is_error else _NUMBERED.findall(read.text)
    filled = [(int(number), text) for number, text in lines if text.strip()]
    change: dict[str, object] = {"old_text": "", "new_text": f"# Memory\n\n{line}\n"}
    if filled:
        number, last = filled[-1]
        change = {"old_text": last, "new_text": f"{last}\n{line}"}
        if now.knows("edit_file", "line_hint"):
            change["line_hint"] = number
    return Use(text="", tool="edit_file", arguments={"path": PATH, **change})
