"""Whatever a document holds survives loading and saving."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from nanobot.admin import Document, build, load
from nanobot.config import ProviderConfig
from nanobot.errors import ConfigError
from nanobot.specs import Spec
from nanobot_cli_admin.claims import check
from nanobot_cli_admin.edit import write
from nanobot_settings.spelling import snake

relaxed = settings(deadline=None)  # a busy machine is no defect

TEXT = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    ["${HOME}", "${UNSET}/x", "ünï", "${}", "$${A}"]
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
VALID = {
    "maxTokens": st.integers(1, 10**6),
    "botName": st.text(st.characters(codec="utf-8"), max_size=5).filter(lambda t: "$" not in t),
    "unifiedSession": st.booleans(),
    "temperature": st.floats(0, 2),
}
UNKNOWN = st.dictionaries(TEXT.map("x-".__add__), JSON, max_size=4)


def cased(key: str, in_snake: bool) -> str:
    return snake(key) if in_snake else key


@st.composite
def documents(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw a document, and the same with every known key in camelCase."""
    written: dict[str, Any] = dict(draw(UNKNOWN))
    canonical_form = dict(written)
    defaults = draw(st.fixed_dictionaries({}, optional=VALID))
    extra = draw(UNKNOWN)
    in_snake = draw(st.booleans())
    written["agents"] = {
        "defaults": {**extra, **{cased(key, in_snake): value for key, value in defaults.items()}}
    }
    canonical_form["agents"] = {"defaults": {**extra, **defaults}}
    openai = draw(UNKNOWN)
    headers = draw(st.dictionaries(TEXT, TEXT, max_size=3))
    written["providers"] = {
        cased("azureOpenai", in_snake): {**openai, cased("extraHeaders", in_snake): headers}
    }
    canonical_form["providers"] = {"azureOpenai": {**openai, "extraHeaders": headers}}
    return written, canonical_form


AZURE = Spec(name="azure_openai", factory="x:y", config=ProviderConfig)


@relaxed
@given(documents())
def test_a_saved_document_holds_what_was_loaded(
    drawn: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    written, expected = drawn
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(written), encoding="utf-8")
        config = load(path, environ={"HOME": "CANARY"})
        write(config.document, config.document.data, specs={"providers": [AZURE]})
        assert json.loads(path.read_text(encoding="utf-8")) == expected
        again = load(path, environ={"HOME": "CANARY"})
        assert again.core == config.core
        before = path.read_bytes()
        write(again.document, again.document.data, specs={"providers": [AZURE]})
        assert path.read_bytes() == before


@relaxed
@given(
    st.sampled_from(["providers", "channels", "tools", "gateway", "agents", "search"]), JSON, JSON
)
def test_checking_any_section_gives_findings(kind: str, one: Any, other: Any) -> None:
    data = {kind: {"azureOpenai": one, "heartbeat": other, "x": other}, "other": one}
    try:
        config = build(Document(path=Path("config.json"), data=data), environ={"HOME": "CANARY"})
    except ConfigError:
        return
    specs = {
        kind: [AZURE],
        "services": [Spec(name="h", factory="x:y", section="gateway.heartbeat")],
    }
    for finding in check(config, specs, installed={"search": ["brave"]}):
        assert finding.message
        assert "CANARY" not in str(finding)
