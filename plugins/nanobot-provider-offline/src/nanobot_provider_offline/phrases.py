"""The phrases that the offline provider understands, and what it does about each.

Every step is worked out anew from the request: what the user said last, and what the tools that
were called since then returned. So nothing has to be kept between the steps of a turn.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from nanobot_provider_offline import memory, sums, texts
from nanobot_provider_offline.situation import Say, Situation, Step, Use


def next_step(now: Situation) -> Step:
    """Say what to do in a situation."""
    words = now.words.rstrip(" \t\r\n?!.=")
    for phrase in _PHRASES:
        if found := phrase.pattern.fullmatch(now.words if phrase.verbatim else words):
            return phrase.act(now, *found.groups())
    return Say(text=texts.beyond_me())


def _list(now: Situation, folder: str | None) -> Step:
    where = folder or "."
    return _by_tool(
        now,
        Use(text="Let me look.\n\n", tool="list_dir", arguments={"path": where}),
        title=f"This is in `{where}`:" if folder else "This is in your workspace:",
        distribution="nanobot-tool-files",
    )


def _read(now: Situation, path: str) -> Step:
    return _by_tool(
        now,
        Use(text="", tool="read_file", arguments={"path": path}),
        title=f"This is in `{path}`:",
        distribution="nanobot-tool-files",
    )


def _run(now: Situation, command: str) -> Step:
    return _by_tool(
        now,
        Use(text="", tool="exec", arguments={"command": command.strip()}),
        title="The command printed:",
        distribution="nanobot-tool-exec",
    )


def _by_tool(now: Situation, use: Use, *, title: str, distribution: str) -> Step:
    """Call a tool once, then show what it returned."""
    result = now.result(use.tool)
    if result is None:
        return use if use.tool in now.tools else Say(text=texts.without_tool(distribution))
    if result.is_error:
        return Say(text=texts.failed(result.text))
    return Say(text=f"{title}\n\n{texts.quoted(result.text)}")


def _tell_time(now: Situation) -> Step:
    for line in now.context.splitlines():
        if _TIME_FACT.search(line):
            return Say(text=line.strip(" []"))
    return Say(text="Nobody told me the time.")


def _work_out(now: Situation, expression: str) -> Step:
    try:
        return Say(text=f"{expression.strip()} = {sums.work_out(expression)}")
    except ZeroDivisionError:
        return Say(text="Nothing can be divided by zero.")
    except ValueError as error:
        return Say(text=f"I can not work that out: {error}.")


@dataclass(frozen=True, slots=True)
class _Phrase:
    pattern: re.Pattern[str]
    act: Callable[..., Step]
    verbatim: bool


def _phrase(pattern: str, act: Callable[..., Step], *, verbatim: bool = False) -> _Phrase:
    """Make a phrase; the pattern's groups are handed to `act`.

    The pattern must find its way without trying the same characters in several ways: the words may
    be a whole pasted file.
    """
    whole = rf"(?:please )?(?:{pattern})"
    return _Phrase(re.compile(whole, re.IGNORECASE | re.DOTALL), act, verbatim)


_TIME_FACT = re.compile(r"\btime\b|\bdate\b|\d:\d\d|\d{4}-\d\d-\d\d", re.IGNORECASE)

_PHRASES = (
    _phrase(
        r"(?:hi|hello|hey|hallo|hola|bonjour|你好|good (?:morning|afternoon|evening|day))"
        r"(?:,? (?:there|nanobot))?",
        lambda now: Say(text=texts.greeting(now.tools)),
    ),
    _phrase(
        r"help|what can you do|(?:who|what) are you",
        lambda now: Say(text=texts.abilities(now.tools)),
    ),
    _phrase(r"run:\s*(\S.*)", _run, verbatim=True),
    _phrase(
        r"(?:list|show|what|which)(?: me)?(?: all)?(?: the| my)? files(?: are)?(?: here| there)?"
        r"(?: in(?: (\S+))?)?",
        _list,
    ),
    _phrase(r"(?:read|show|open|cat)(?: the)?(?: file)? [`'\"]?([^\s`'\"]+)[`'\"]?", _read),
    _phrase(r"remember(?: that|:)? (\S.*)", memory.remember),
    _phrase(r"what (?:do|can) you (?:remember|know)(?: about me)?", memory.recall),
    _phrase(
        r"(?:what|which)(?:'s| is)?(?: the)? (?:time|date|day)(?: is it| is today| today| now)?",
        _tell_time,
    ),
    _phrase(
        r"(?:what is |what's |calculate |compute |how much is )?"
        r"([-−]?[\d(.][\d\s().]*[-+*/%^×÷x−][-+*/%^×÷x−\d\s().]*)",
        _work_out,
    ),
)
