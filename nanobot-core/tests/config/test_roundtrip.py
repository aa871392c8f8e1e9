"""Whatever a file holds is used, or refused in words."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from nanobot._config import Config, build
from nanobot._config.document import Document, read_document
from nanobot._names import snake
from nanobot.errors import ConfigError

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


@relaxed
@given(st.fixed_dictionaries({}, optional=VALID))
def test_both_spellings_load_alike(defaults: dict[str, Any]) -> None:
    def core(in_snake: bool) -> Config:
        data = {cased(key, in_snake): value for key, value in defaults.items()}
        document = Document(path=Path("config.json"), data={"agents": {"defaults": data}})
        return build(document, environ={})

    assert core(True).core == core(False).core
    assert core(True).findings == ()


@relaxed
@given(JSON)
def test_any_document_is_used_or_refused_as_a_configuration_error(data: Any) -> None:
    for section in ("agents", "tools", "channels", "providers", "modelPresets", "api", "x"):
        document = Document(path=Path("config.json"), data={section: data})
        try:
            build(document, environ={})
        except ConfigError as error:
            assert "config.json: " in error.message


@relaxed
@given(st.binary(max_size=60))
def test_any_file_is_read_or_refused_as_a_configuration_error(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_bytes(content)
        try:
            assert isinstance(read_document(path).data, dict)
        except ConfigError as error:
            assert "line " in error.message
        assert path.read_bytes() == content


@relaxed
@given(
    st.dictionaries(st.text("AGENTSDFUL_x", max_size=20).map("NANOBOT_".__add__), TEXT, max_size=5)
)
def test_any_environment_is_used_or_refused(environ: dict[str, str]) -> None:
    document = Document(path=Path("config.json"), data={"agents": {"defaults": {"model": "m"}}})
    try:
        config = build(document, environ=environ)
    except ConfigError as error:
        assert "config.json: " in error.message
    else:
        assert config.document.data == document.data
