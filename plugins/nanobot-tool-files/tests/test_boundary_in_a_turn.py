"""The third attempt at one place outside is answered by a request to stop, by whatever name."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from nanobot_testing.lab import Lab, call


def test_two_links_to_one_place_are_one_target(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.standard |= {"nanobot-tool-files"}
    lab.restricted = True
    secret = tmp_path / "secret.txt"
    secret.write_text("CANARY")
    workspace = lab.instance.workspace
    for name in ("one", "two"):
        os.symlink(secret, workspace / name)
    tries: list[tuple[str, dict[str, Any]]] = [
        ("read_file", {"path": "one"}),
        ("grep", {"pattern": "x", "path": "two"}),
        ("apply_patch", {"edits": [{"path": "../secret.txt", "action": "delete"}]}),
    ]
    for name, arguments in tries:
        lab.model.calls(call(name, json.dumps(arguments)))
    lab.model.says("I need your help.")
    assert lab.finished(lab.run("get it")).content == "I need your help."
    results = [
        use.result
        for message in lab.model.requests[-1].messages
        for use in getattr(message, "tool_uses", ())
    ]
    assert [result.kind for result in results] == ["outside_workspace"] * 3
    assert {result.target for result in results} == {str(secret)}
    assert "hard policy boundary" in results[0].text
    assert "hard policy boundary" in results[1].text
    assert "Stop trying" in results[2].text and str(secret) in results[2].text
    assert secret.read_text() == "CANARY"
    assert "CANARY" not in "".join(result.text for result in results)
