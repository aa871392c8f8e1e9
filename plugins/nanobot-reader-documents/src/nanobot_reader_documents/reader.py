"""Reads documents in a process of their own, which can be stopped and has little to use up."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import PurePath

from nanobot.context import PluginContext
from nanobot.errors import ToolError
from nanobot_tool_files.extract import Extract, ExtractRequest

from nanobot_reader_documents.config import DocumentsConfig

_AT_ONCE = 2
_MOST_OUTPUT = 16 << 20  # bytes; more than any answer of the worker


class Documents:
    """Takes the text out of documents.

    Args:
        config: The section ``reader.documents``.
    """

    def __init__(self, config: DocumentsConfig) -> None:
        self._config = config
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def read(self, request: ExtractRequest) -> Extract:
        """Return the text of a document; a cancelled call leaves no process behind."""
        most = self._config.max_megabytes << 20
        if request.size > most:
            raise ToolError(
                f"'{request.path}' has {request.size:,} bytes; documents of at most {most:,} are "
                "read (reader.documents.maxMegabytes).",
                kind="too_large",
                target=request.path,
            )
        try:
            async with asyncio.timeout(self._config.seconds), self._free:
                answer = await self._ask(request)
        except TimeoutError:
            raise _refused(request, "timeout", "takes too long to be read") from None
        if "error" in answer:
            raise _refused(request, answer["error"], answer["message"])
        return Extract(text=answer["text"], note=answer["note"])

    async def _ask(self, request: ExtractRequest) -> dict[str, str]:
        request.file.seek(0)
        task = {
            "format": PurePath(request.path).suffix.lower(),
            "pages": request.pages[:200],
            "memory": self._config.memory_megabytes << 20,
            "cpu_s": self._config.cpu_seconds,
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", "nanobot_reader_documents.worker", json.dumps(task)),
            stdin=request.file.fileno(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd="/",
            env={},
            start_new_session=True,
        )
        try:
            assert process.stdout
            out = bytearray()
            while len(out) <= _MOST_OUTPUT and (piece := await process.stdout.read(1 << 16)):
                out += piece
            if len(out) <= _MOST_OUTPUT:
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return _answer(bytes(out), process.returncode)


def _answer(out: bytes, code: int | None) -> dict[str, str]:
    """Read what the worker said; it may have been stopped before it could say anything."""
    if code == 0:
        try:
            answer = json.loads(out)
        except ValueError:
            answer = None
        if isinstance(answer, dict) and all(isinstance(text, str) for text in answer.values()):
            return answer
    why = "takes too long to be read" if code in (-9, -24) else "made the reader fail"
    return {"error": "timeout" if code in (-9, -24) else "bad_content", "message": why}


def _refused(request: ExtractRequest, kind: str, why: str) -> ToolError:
    return ToolError(f"'{request.path}' {why}.", kind=kind, target=request.path)


@asynccontextmanager
async def open_reader(config: DocumentsConfig, context: PluginContext) -> AsyncIterator[Documents]:
    """Open the reader."""
    yield Documents(config)
