"""The contract of readers, for the documents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from nanobot_testing.contracts.reader import ReaderContract


class TestDocuments(ReaderContract):
    plugin = "reader.documents"

    @pytest.fixture(autouse=True)
    def _builders(self, build: Any) -> None:
        self.build = build

    def documents(self, folder: Path) -> Mapping[str, tuple[bytes, str]]:
        return {
            "a.pdf": (self.build.pdf("Hello"), "Hello"),
            "a.docx": (self.build.docx(), "First words."),
            "a.xlsx": (self.build.xlsx(), "tea\t3.5"),
            "a.xlsm": (self.build.xlsx(), "tea\t3.5"),
            "a.pptx": (self.build.pptx(), "Slide title 1"),
        }
