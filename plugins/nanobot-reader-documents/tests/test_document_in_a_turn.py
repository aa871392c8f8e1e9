"""A document as a user meets it: read_file, through the whole agent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nanobot_testing.lab import Lab, call


def result_of(lab: Lab, path: str) -> Any:
    lab.model.calls(call("read_file", json.dumps({"path": path}))).says("Read.")
    lab.run(f"read {path}")
    (use,) = lab.model.requests[-1].messages[-1].tool_uses  # type: ignore[union-attr]
    return use.result


def test_installed(tmp_path: Path, build: Any) -> None:
    lab = Lab(tmp_path)
    lab.standard |= {"nanobot-tool-files", "nanobot-reader-documents"}
    (lab.instance.workspace / "a.xlsx").write_bytes(build.xlsx())
    assert "2| name\tamount\n3| tea\t3.5\n" in result_of(lab, "a.xlsx").text
    (lab.instance.workspace / "b.docx").write_bytes(b"PK\x03\x04 broken")
    assert result_of(lab, "b.docx").kind == "bad_content"


def test_not_installed(tmp_path: Path, build: Any) -> None:
    lab = Lab(tmp_path)
    lab.standard |= {"nanobot-tool-files"}
    (lab.instance.workspace / "a.pdf").write_bytes(build.pdf("x"))
    (lab.instance.workspace / "a.xlsx").write_bytes(build.xlsx())
    for name in ("a.pdf", "a.xlsx"):
        result = result_of(lab, name)
        assert result.kind == "binary"
        assert "pip install nanobot-reader-documents" in result.text
