"""The contract of readers of pages."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import AsyncExitStack
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import pytest
from nanobot.errors import ToolError
from nanobot.specs import Spec

from nanobot_testing.contracts.base import PluginContract
from nanobot_testing.host import make_context, run
from nanobot_testing.servers.wire import Act, Reply, ScriptedServer

URL = "https://example.org/article"
WORDS = "The lighthouse keeper counted the ships that passed the harbour in the morning light. "
PAGE = f"""<!DOCTYPE html><html><head><title>Ships &amp; lights</title></head><body>
<nav><a href="/">Home</a></nav>
<article><h1>Ships &amp; lights</h1>{"".join(f"<p>{WORDS * 4}</p>" for _ in range(6))}
<p>See <a href="https://example.org/more">the other report</a>.</p></article>
<script>var hidden = "scripted nonsense";</script></body></html>""".encode()


class FetchContract(PluginContract):
    """Promises of a reader. Those of kind ``remote`` are run against a scripted server."""

    config: ClassVar[Mapping[str, object]] = {}

    def section(self, base_url: str) -> Mapping[str, object]:
        """Return a section of the configuration; remote readers point it to the server."""
        return self.config

    @abstractmethod
    def reply(self, text: str) -> Reply:
        """Return the documented answer of a vendor for a page with this text; for remote ones."""

    # --- running --------------------------------------------------------------------------------

    def _read(
        self,
        spec: Spec,
        folder: Path,
        *,
        body: bytes = PAGE,
        reply: Reply | None = None,
        cancel: bool = False,
        **options: Any,
    ) -> Any:
        remote = bool(getattr(spec, "remote", False))

        async def go() -> Any:
            async with AsyncExitStack() as stack:
                section = self.config
                server: ScriptedServer | None = None
                if remote:
                    server = await stack.enter_async_context(ScriptedServer())
                    server.reply(reply or self.reply(WORDS))
                    section = self.section(server.base_url)
                module, _, function = spec.factory.partition(":")
                factory = getattr(import_module(module), function)
                config = spec.config.model_validate(dict(section))
                context = make_context(spec, folder, plugin=self.plugin)
                reader = await stack.enter_async_context(factory(config, context))
                call = reader.read(URL, body=body, media_type="text/html; charset=utf-8", **options)
                if not cancel:
                    return await call
                task = asyncio.ensure_future(call)
                await asyncio.sleep(0)
                while server and not server.requests:
                    await asyncio.sleep(0.01)
                task.cancel()
                await asyncio.wait([task], timeout=5)
                assert task.cancelled(), "cancellation must be obeyed"
                return None

        return run(go())

    # --- promises -------------------------------------------------------------------------------

    @pytest.mark.parametrize("mode", ["markdown", "text"])
    def test_reads(self, spec: Spec, tmp_path: Path, mode: str) -> None:
        readout = self._read(spec, tmp_path, mode=mode)
        assert "lighthouse keeper" in readout.text
        assert "scripted nonsense" not in readout.text
        assert readout.extractor

    def test_cancel_is_obeyed(self, spec: Spec, tmp_path: Path) -> None:
        self._read(spec, tmp_path, cancel=True, reply=Reply(body=[b" ", Act.HANG]))

    @pytest.mark.parametrize("body", [b"", b"\x00\xff" * 1000, b"<" * 100_000, b"plain words"])
    def test_odd_pages_are_read_or_refused(self, spec: Spec, tmp_path: Path, body: bytes) -> None:
        try:
            readout = self._read(spec, tmp_path, body=body)
        except ToolError as error:
            assert error.kind
        else:
            assert isinstance(readout.text, str)

    @pytest.mark.parametrize(
        "reply",
        [
            Reply(status=401, body=[b"{}"], chunked=False),
            Reply(status=429, body=[b"{}"], chunked=False),
            Reply(status=500, body=[b"{}"], chunked=False),
            Reply(body=[b"not json"], chunked=False),
            Reply(body=[b"{}"], chunked=False),
            Reply(body=[b"{", Act.RESET]),
        ],
        ids=["401", "429", "500", "garbage", "empty", "reset"],
    )
    def test_a_failing_vendor_is_a_tool_error(
        self, spec: Spec, tmp_path: Path, reply: Reply
    ) -> None:
        if getattr(spec, "remote", False):
            with pytest.raises(ToolError):
                self._read(spec, tmp_path, reply=reply)
