"""Names of tools: what vendors accept, unique, and the same in every process."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable

MAX_NAME = 64
_FOREIGN = re.compile(r"[^A-Za-z0-9_-]")
_RUNS = re.compile(r"_+")


def wrapped(server: str, kind: str, name: str) -> str:
    """Return ``mcp_<server>_<tool>``; resources and prompts have their kind before the name."""
    middle = "" if kind == "tool" else f"{'prompt' if kind == 'prompt' else 'resource'}_"
    text = _RUNS.sub("_", _FOREIGN.sub("_", f"mcp_{server}_{middle}{name}"))
    return text if len(text) <= MAX_NAME else marked(text, text)


def marked(text: str, origin: str) -> str:
    """Return a name with a mark of where it comes from, cut to fit."""
    mark = hashlib.sha1(origin.encode(errors="replace"), usedforsecurity=False).hexdigest()[:8]
    return f"{text[: MAX_NAME - 9]}_{mark}"


def unique(names: Iterable[tuple[str, str]]) -> list[str]:
    """Return a name for each (name, origin); those that are equal get a mark each.

    All of them: a name never passes from one tool to another when a server comes late.
    """
    given = list(names)
    counts = Counter(name for name, _ in given)
    return [marked(name, origin) if counts[name] > 1 else name for name, origin in given]
