"""Has pages read by a child process, which can be killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from nanobot.config import PluginConfig
from nanobot.context import PluginContext
from nanobot.errors import ToolError
from nanobot_tool_web.reader import Mode, Readout

DEADLINE_S = 20.0
MAX_READOUT = 12_000_000
_AT_ONCE = 4


class Readability:
    """Reads pages.

    Pages come from strangers and their parser is a large C library, so each page is parsed in a
    process of its own, without this one's environment, with limits on memory and time.
    """

    def __init__(self, deadline_s: float = DEADLINE_S) -> None:
        self._deadline_s = deadline_s
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def read(
        self,
        url: str,
        *,
        body: bytes = b"",
        media_type: str = "",
        mode: Mode = "markdown",
        proxy: str | None = None,
    ) -> Readout:
        """Return the page's main content; all of its text when no part of it is the main one."""
        charset = media_type.lower().partition("charset=")[2].split(";")[0].strip(" \"'")
        head = json.dumps({"url": url, "mode": mode, "charset": charset})
        async with self._free:
            try:
                async with asyncio.timeout(self._deadline_s):
                    answer = await _in_child(head.encode() + b"\n" + body)
            except TimeoutError:
                raise ToolError(
                    f"The page could not be read within {self._deadline_s:g} s.", kind="timeout"
                ) from None
        try:
            found = json.loads(answer)
            text, extractor = str(found["text"]), str(found["extractor"])
        except (ValueError, KeyError, TypeError):
            raise ToolError("The page could not be read.", kind="bad_answer") from None
        if not text:
            raise ToolError("The page has no text.", kind="bad_answer")
        return Readout(text=text, extractor=extractor)


async def _in_child(data: bytes) -> bytes:
    """Give data to a child and return what it says, cut at the limit; kill it in any case."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-m",
        "nanobot_fetch_readability.child",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"LANG": "C.UTF-8"},
        start_new_session=True,
    )
    assert child.stdin
    assert child.stdout
    try:
        with suppress(ConnectionError):
            child.stdin.write(data)
            child.stdin.write_eof()
            await child.stdin.drain()
        said = bytearray()
        while len(said) < MAX_READOUT and (piece := await child.stdout.read(65536)):
            said += piece
        return bytes(said)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.stdin.close()
        await asyncio.shield(child.wait())


@asynccontextmanager
async def open_fetch(config: PluginConfig, context: PluginContext) -> AsyncIterator[Readability]:
    """Open the reader."""
    yield Readability()
