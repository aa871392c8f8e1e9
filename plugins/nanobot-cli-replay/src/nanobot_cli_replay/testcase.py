"""Writes a recording as a pytest test that needs nothing but nanobot and its kit."""

from __future__ import annotations

import pprint
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from nanobot.errors import ConfigError
from nanobot.events import TurnFinished
from nanobot.messages import StopReason, text_of
from nanobot_engine_standard import codec

from nanobot_cli_replay.recording import Exchange, Record, Recording
from nanobot_cli_replay.replaying import Outcome

_CUT_OFF = (StopReason.CANCELLED, StopReason.INTERRUPTED)


def write(path: Path, recording: Recording, outcome: Outcome) -> int:
    """Write the turns that ran to their end; return how many there are.

    Raises:
        ConfigError: There are none, or the file is there already.
    """
    turns = [_turn(one, end) for one, end in outcome.ends if _is_plain(one)]
    if not turns:
        raise ConfigError("no turn of the session can be written: all were cut off or joined")
    template = files("nanobot_cli_replay").joinpath("test_case.py.tmpl").read_text()
    literal = pprint.pformat(turns, width=96, sort_dicts=False)
    text = template.replace("%SESSION%", repr(recording.key)).replace("%TURNS%", literal)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{path} exists already", remedy="Name another file.") from None
    except OSError as error:
        raise ConfigError(f"{path} can not be written: {error.strerror or error}") from None
    return len(turns)


def _is_plain(exchange: Exchange) -> bool:
    """Tell whether a turn was one message and ran to its end without an interruption."""
    cut_off = exchange.stop in _CUT_OFF or len(exchange.takes) > 1
    shrunk = any(record["type"] == "shrunk" for record in exchange.records)
    return not (cut_off or exchange.said or shrunk)


def _turn(exchange: Exchange, end: TurnFinished) -> dict[str, Any]:
    return {
        "said": text_of(exchange.inbound.parts),
        "role": str(exchange.inbound.principal.role),
        "origin": str(exchange.inbound.origin),
        "answers": [_answer(record) for record in exchange.answers],
        "results": [_result(record) for record in exchange.records if record["type"] == "tool"],
        "content": end.content,
        "stop_reason": str(end.stop_reason),
        "error": end.error,
        "tools_used": list(end.tools_used),
    }


def _answer(record: Record) -> dict[str, Any]:
    calls = [(call["id"], call["name"], call["arguments"]) for call in record.get("calls", ())]
    return {"text": record["text"], "calls": calls, "finish": record["finish"]}


def _result(record: Record) -> Mapping[str, Any]:
    result = codec.result_from_json(record)
    return {
        "name": record["name"],
        "text": result.text,
        "kind": result.kind,
        "retryable": result.retryable,
        "target": result.target,
    }
