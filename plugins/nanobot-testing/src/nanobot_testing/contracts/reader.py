"""The contract of readers of documents, which serve read_file."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from nanobot.errors import ToolError
from nanobot.specs import Spec

from nanobot_testing.contracts.base import PluginContract
from nanobot_testing.host import open_spec, run

_GARBAGE = (b"", b"PK\x03\x04%PDF-1.7\n" + b"x" * 5_000)


class ReaderContract(PluginContract):
    """Promises of a reader of documents."""

    def documents(self, folder: Path) -> Mapping[str, tuple[bytes, str]]:
        """Return documents by name, one for each ending: the bytes, and a text they hold."""
        pytest.fail("give the contract its documents")

    def _read(self, spec: Spec, folder: Path, *asked: tuple[str, bytes, str]) -> list[Any]:
        """Return what documents come to: extracts, or the reader's refusals."""

        async def one(reader: Any, number: int, name: str, data: bytes, pages: str) -> Any:
            path = folder / f"document{number}"
            path.write_bytes(data)
            with path.open("rb") as file:
                try:
                    return await reader.read(_request(name, file, len(data), pages))
                except ToolError as refusal:
                    return refusal
                finally:
                    assert not file.closed, "the file stays the caller's"

        async def go() -> list[Any]:
            async with open_spec(spec, self.config, folder, plugin=self.plugin) as reader:
                works = (one(reader, number, *each) for number, each in enumerate(asked))
                return await asyncio.gather(*works)

        return run(go())

    def test_every_ending_has_a_document(self, spec: Any, tmp_path: Path) -> None:
        assert spec.suffixes
        assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in spec.suffixes)
        missing = set(spec.suffixes) - {Path(name).suffix for name in self.documents(tmp_path)}
        assert not missing, f"add a document for {sorted(missing)} to `documents`"

    def test_text_is_found(self, spec: Spec, tmp_path: Path) -> None:
        for name, (data, text) in self.documents(tmp_path).items():
            extract, again = self._read(spec, tmp_path, *[(name, data, "")] * 2)
            assert not isinstance(extract, ToolError), f"{name}: {extract}"
            assert text in extract.text
            assert again == extract, "twice gives the same"

    def test_what_is_broken_is_refused_in_words(self, spec: Any, tmp_path: Path) -> None:
        whole = {Path(name).suffix: data for name, (data, _) in self.documents(tmp_path).items()}
        for suffix in spec.suffixes:
            half = whole[suffix][: len(whole[suffix]) // 2]
            broken = [(f"broken{suffix}", data, "") for data in (*_GARBAGE, half)]
            for answer in self._read(spec, tmp_path, *broken):
                if isinstance(answer, ToolError):
                    assert answer.kind and answer.kind != "failed"
                    assert f"broken{suffix}" in answer.message
                    assert answer.target == f"broken{suffix}"

    def test_strange_pages_are_an_error_or_harmless(self, spec: Spec, tmp_path: Path) -> None:
        for name, (data, _) in self.documents(tmp_path).items():
            asked = [(name, data, pages) for pages in ("0", "5-1", "\0" * 9_000)]
            for answer in self._read(spec, tmp_path, *asked):
                assert isinstance(answer, ToolError) or isinstance(answer.text, str)

    def test_a_cancelled_call_leaves_no_process(self, spec: Spec, tmp_path: Path) -> None:
        before = _children()

        async def go() -> None:
            async with open_spec(spec, self.config, tmp_path, plugin=self.plugin) as reader:
                for name, (data, _) in self.documents(tmp_path).items():
                    path = tmp_path / "document"
                    path.write_bytes(data)
                    with path.open("rb") as file:
                        work = reader.read(_request(name, file, len(data), ""))
                        call = asyncio.ensure_future(work)
                        await asyncio.sleep(0)
                        call.cancel()
                        await asyncio.wait([call], timeout=5)
                        assert call.done(), f"{name}: the reader ignores cancellation"

        run(go())
        assert _children() == before


def _request(name: str, file: Any, size: int, pages: str) -> Any:
    request = import_module("nanobot_tool_files.extract").ExtractRequest
    return request(path=name, file=file, size=size, pages=pages)


def _children() -> set[str]:
    """Return the processes that this one has started, where the system tells."""
    try:
        return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
    except OSError:
        return set()
