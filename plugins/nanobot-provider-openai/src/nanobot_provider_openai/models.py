"""What a model's name says about reasoning.

Sources: OpenAI's reasoning guide and model pages. Reasoning models take no temperature and know
different efforts; to any other model no reasoning field may be sent.
"""

from __future__ import annotations

import re
from typing import Any

_SCALE = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_CLASSIC = ("low", "medium", "high")

_GPT = re.compile(r"gpt-(?P<major>\d+)(?:\.(?P<minor>\d+))?[a-z]*(?=-|$)")
_O_SERIES = re.compile(r"o\d+(?=-|$)")
_PLAIN = re.compile(r"(?:gpt-[34]|chatgpt-|gpt-audio)")


def efforts_of(model: str) -> tuple[str, ...] | None:
    """Return the efforts that a model knows, none at all for one that does not reason.

    None stands for a model of which the name says nothing.
    """
    name = model.lower().rpartition("/")[2]
    words = name.split("-")
    if _PLAIN.match(name) or "chat" in words:
        return ()
    if _O_SERIES.match(name) or words[0] == "codex":
        return _CLASSIC
    found = _GPT.match(name)
    if not found:
        return None
    version = (int(found["major"]), int(found["minor"] or 0))
    if "pro" in words:
        return ("high",) if version == (5, 0) else ("medium", "high", "xhigh")
    if version == (5, 0):
        return _CLASSIC if "codex" in words else ("minimal", *_CLASSIC)
    if version == (5, 1):
        return ("none", *_CLASSIC)
    return ("none", *_CLASSIC, "xhigh") if version < (5, 6) else ("none", *_CLASSIC, "xhigh", "max")


def reasoning_fields(
    model: str, effort: str | None, temperature: float | None, summary: str | None
) -> dict[str, Any]:
    """Return the request fields about reasoning and, where it is taken, the temperature.

    Args:
        effort: The wanted effort, None for the vendor's default.
        temperature: The wanted temperature, None for the vendor's default.
        summary: Which summary to ask for, None for none.
    """
    known = efforts_of(model)
    word = _fit("minimal" if effort == "minimum" else effort, known)
    reasons = bool(known) or (known is None and word not in ("", "none"))
    fields: dict[str, Any] = {}
    if not reasons:
        if temperature is not None:
            fields["temperature"] = temperature
        return fields
    fields["include"] = ["reasoning.encrypted_content"]
    reasoning = {"effort": word, "summary": summary or ""}
    if any(reasoning.values()):
        fields["reasoning"] = {name: value for name, value in reasoning.items() if value}
    return fields


def _fit(effort: str | None, known: tuple[str, ...] | None) -> str:
    """Return the least known effort that is not less than the wanted one, or else the greatest."""
    if effort is None or effort == "adaptive" or known == ():
        return ""
    if known is None or effort not in _SCALE:
        return effort
    least = _SCALE.index(effort)
    return next((word for word in known if _SCALE.index(word) >= least), known[-1])
