"""Long tool results move to a file that the model can read."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nanobot.engine import Limits
from nanobot.events import ToolFinished
from nanobot.messages import Image, Text, ToolResult, Trust
from nanobot_engine_standard.foreign import NOTE
from nanobot_engine_standard.spill import PREVIEW_CHARS

LONG = "".join(f"line {n}\n" for n in range(5000))


def _spilled(lab: Any) -> list[Path]:
    return sorted(lab.instance.spill.glob("*")) if lab.instance.spill.exists() else []


def test_a_long_result_is_kept_in_a_file(lab: Any, lab_module: Any) -> None:
    lab.returns("look", ToolResult.ok(LONG, trust=Trust.UNTRUSTED))
    lab.model.calls(lab_module.call("look")).says("ok")
    events = lab.run("go")
    (file,) = _spilled(lab)
    assert file.read_text() == LONG and stat.S_IMODE(file.stat().st_mode) == 0o600
    (part,) = lab.model.requests[-1].messages[-1].tool_uses[0].result.parts
    shown = part.text.removeprefix(f"{NOTE}\n")
    assert shown.startswith(LONG[:PREVIEW_CHARS]) and len(shown) < PREVIEW_CHARS + 300
    assert f".nanobot/tool-results/{file.name}" in part.text and str(len(LONG)) in part.text
    assert part.trust is Trust.UNTRUSTED, "the mark survives"
    assert lab.of(events, ToolFinished)[0].result.parts == (replace(part, text=shown),)
    assert (lab.instance.workspace / f".nanobot/tool-results/{file.name}").exists()


def test_the_transcript_holds_the_preview(lab: Any, lab_module: Any) -> None:
    lab.returns("look", LONG)
    lab.model.calls(lab_module.call("look")).says("ok").says("ok")
    lab.run("go", "again")
    assert len(lab.transcript().read_bytes()) < len(LONG)
    first, again = (request.messages[1].tool_uses for request in lab.model.requests[1:])
    assert first == again


def test_a_short_result_stays(lab: Any, lab_module: Any) -> None:
    lab.limits = Limits(max_tool_result_chars=100)
    lab.returns("look", "x" * 100)
    lab.model.calls(lab_module.call("look")).says("ok")
    lab.run("go")
    assert lab.model.requests[-1].messages[-1].tool_uses[0].result.text == "x" * 100
    assert not _spilled(lab)


def test_a_tool_may_ask_for_its_results_to_stay(lab: Any, lab_module: Any) -> None:
    """Else reading a spilled file would spill it again."""
    lab.returns("read_file", LONG, spill=False)
    lab.model.calls(lab_module.call("read_file")).says("ok")
    lab.run("go")
    assert lab.model.requests[-1].messages[-1].tool_uses[0].result.text == LONG
    assert not _spilled(lab)


def test_each_long_text_goes_to_a_file_of_its_own(lab: Any, lab_module: Any) -> None:
    picture = Image(data=b"png", media_type="image/png", name="p")
    lab.returns("look", ToolResult.ok(LONG, picture, "short", LONG.upper()))
    lab.model.calls(lab_module.call("look")).says("ok")
    lab.run("go")
    parts = lab.model.requests[-1].messages[-1].tool_uses[0].result.parts
    assert parts[1] == picture and parts[2] == Text(text="short")
    assert sorted(file.read_text() for file in _spilled(lab)) == sorted([LONG, LONG.upper()])


def test_calls_with_similar_ids_do_not_share_a_file(lab: Any, lab_module: Any) -> None:
    """Some vendors' ids are long and differ at their end, or in signs that file names lack."""

    async def echo(request: Any, turn: Any) -> str:
        return f"{request.call_id} {LONG}"

    ids = ["call_" + "0" * 120 + end for end in "ab"] + ["c|1", "c:1", "../../../c", "é", "ê"]
    lab.tool("echo", echo)
    lab.model.calls(*(lab_module.call("echo", id=id) for id in ids)).says("ok")
    lab.run("go")
    assert sorted(file.read_text() for file in _spilled(lab)) == sorted(
        f"{id} {LONG}" for id in ids
    )


def test_halves_of_surrogate_pairs_do_not_stop_it(lab: Any, lab_module: Any) -> None:
    lab.returns("look", "\ud83d" + LONG)
    lab.model.calls(lab_module.call("look")).says("ok")
    assert lab.finished(lab.run("go")).content == "ok" and len(_spilled(lab)) == 1


def test_a_result_that_can_not_be_kept_is_cut_and_says_so(lab: Any, lab_module: Any) -> None:
    (lab.instance.workspace / ".nanobot").write_text("a file is in the way")
    lab.returns("look", LONG)
    lab.model.calls(lab_module.call("look")).says("ok")
    assert lab.finished(lab.run("go")).content == "ok"
    assert "was dropped" in lab.model.requests[-1].messages[-1].tool_uses[0].result.text


@pytest.mark.parametrize("kind", ["failed", "timeout"])
def test_long_errors_spill_as_well(lab: Any, lab_module: Any, kind: str) -> None:
    lab.returns("look", ToolResult.error(kind, LONG))
    lab.model.calls(lab_module.call("look")).says("ok")
    lab.run("go")
    result = lab.model.requests[-1].messages[-1].tool_uses[0].result
    assert result.kind == kind and len(result.text) < 2000 and len(_spilled(lab)) == 1
