"""What may stand in the sections."""

from __future__ import annotations

from typing import Any

import pytest
from nanobot_tool_web.config import EngineConfig, WebConfig
from pydantic import ValidationError


def test_an_old_section_is_read() -> None:
    config = WebConfig.model_validate(
        {
            "enable": True,
            "proxy": None,
            "userAgent": None,
            "search": {
                "provider": "brave",
                "apiKey": "",
                "baseUrl": "",
                "maxResults": 5,
                "timeout": 30,
            },
            "fetch": {"useJinaReader": False},
        }
    )
    assert config.enabled
    assert config.search.base_url is None
    assert not config.fetch.use_jina_reader


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ({"proxy": "localhost:3128"}, "proxy"),
        ({"proxy": "ftp://me:hunter2@host"}, "proxy"),
        ({"proxy": "http://host:0"}, "proxy"),
        ({"search": {"baseUrl": "brave.example"}}, "search.baseUrl"),
        ({"search": {"baseUrl": "http://[::1"}}, "search.baseUrl"),
        ({"search": {"maxResults": 0}}, "search.maxResults"),
        ({"search": {"maxResults": 11}}, "search.maxResults"),
        ({"search": {"timeout": 0}}, "search.timeout"),
        ({"fetch": {"useJina": True}}, "fetch.useJina"),
    ],
)
def test_a_wrong_value_is_refused_by_name(section: dict[str, Any], key: str) -> None:
    with pytest.raises(ValidationError) as caught:
        WebConfig.model_validate(section)
    (error,) = caught.value.errors()
    assert ".".join(str(part) for part in error["loc"]) == key
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("proxy", ["http://h:1", "https://u:p@h", "socks5://h:1080", "", None])
def test_proxies(proxy: str | None) -> None:
    assert EngineConfig(proxy=proxy).proxy == (proxy or None)
