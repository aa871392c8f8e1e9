"""The section ``tools.exec``."""

from __future__ import annotations

import pytest
from nanobot_tool_exec.config import ExecConfig
from pydantic import ValidationError


def test_defaults() -> None:
    config = ExecConfig()
    assert config.enabled and config.timeout == 60 and config.sandbox == "auto"
    assert config.path_prepend == config.path_append == ""
    assert config.allowed_env_keys == config.allow_patterns == config.deny_patterns == []


def test_both_spellings_are_read() -> None:
    assert not ExecConfig.model_validate({"enable": False}).enabled
    assert ExecConfig.model_validate({"path_append": "/x"}).path_append == "/x"
    assert ExecConfig.model_validate({"pathAppend": "/x"}).path_append == "/x"


@pytest.mark.parametrize("field", ["allowPatterns", "denyPatterns"])
def test_a_broken_pattern_is_named(field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ExecConfig.model_validate({field: ["ok", "(unclosed"]})
    shown = str(caught.value)
    assert field in shown and "entry 1 is not a valid regular expression" in shown


@pytest.mark.parametrize(
    "section",
    [{"timeout": -1}, {"timeout": "soon"}, {"sandbox": "docker"}, {"sandboxRoBinds": ["relative"]}],
)
def test_nonsense_is_refused(section: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ExecConfig.model_validate(section)
