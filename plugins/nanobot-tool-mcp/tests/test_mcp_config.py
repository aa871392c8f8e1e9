"""The section, in the forms that other clients write it."""

from __future__ import annotations

import pytest
from nanobot_testing import load_spec
from nanobot_tool_mcp.config import McpConfig
from pydantic import ValidationError

STDIO = {"command": "npx", "args": ["-y", "x"], "env": {"KEY": "s3cret-value"}, "cwd": "/tmp"}


def test_the_section_is_a_map_of_servers() -> None:
    config = McpConfig.model_validate({"github": STDIO, "web": {"url": "https://x.test/mcp"}})
    assert list(config.servers) == ["github", "web"]
    assert config.servers["github"].args == ["-y", "x"]
    assert load_spec("tools.mcp").section == "tools.mcpServers"


def test_the_schema_for_editors_is_that_of_the_file() -> None:
    schema = McpConfig.model_json_schema()
    assert set(schema["properties"]) == {"enabled"}
    assert schema["additionalProperties"] == {"$ref": "#/$defs/ServerConfig"}


def test_without_a_server_nothing_is_opened() -> None:
    assert not McpConfig.model_validate({}).enabled
    assert McpConfig.model_validate({"github": STDIO}).enabled


@pytest.mark.parametrize("key", ["enabled", "enable"])
def test_all_of_it_can_be_switched_off(key: str) -> None:
    config = McpConfig.model_validate({key: False, "github": STDIO})
    assert not config.enabled
    assert list(config.servers) == ["github"]


@pytest.mark.parametrize("name", ["enabled", "servers", "mein server"])
def test_a_server_may_have_any_name(name: str) -> None:
    config = McpConfig.model_validate({name: STDIO})
    assert config.enabled
    assert list(config.servers) == [name]


@pytest.mark.parametrize(
    ("section", "kind"),
    [
        ({"command": "x"}, "stdio"),
        ({"command": "x", "type": "stdio"}, "stdio"),
        ({"url": "https://x.test/mcp"}, "http"),
        ({"url": "https://x.test/sse"}, "sse"),
        ({"url": "https://x.test/sse/?a=b"}, "sse"),
        ({"url": "https://x.test/sse", "type": "http"}, "http"),
        ({"url": "https://x.test/mcp", "type": "streamableHttp"}, "http"),
        ({"url": "https://x.test/mcp", "type": "streamable-http"}, "http"),
        ({"url": "https://x.test/mcp", "transport": "streamable_http"}, "http"),
        ({"url": "https://x.test/mcp", "transport": "sse"}, "sse"),
    ],
)
def test_the_kind_follows_from_what_is_there(section: dict[str, object], kind: str) -> None:
    assert McpConfig.model_validate({"a": section}).servers["a"].kind == kind


def test_both_spellings_and_other_clients_words_are_read() -> None:
    section = {"command": "x", "tool_timeout": 5, "enabledTools": ["a"], "disabled": True}
    server = McpConfig.model_validate({"a": section}).servers["a"]
    assert (server.tool_timeout, server.enabled_tools, server.enabled) == (5, ["a"], False)


@pytest.mark.parametrize(
    ("section", "word"),
    [
        ({}, "either command or url"),
        ({"command": "sh", "url": "http://x"}, "not both"),
        ({"command": "sh", "type": "sse"}, "needs url"),
        ({"url": "http://x", "type": "stdio"}, "needs command"),
        ({"url": "ftp://x"}, "http://"),
        ({"url": "http://"}, "http://"),
        ({"command": "sh", "auth": "oauth"}, "needs url"),
        ({"command": "sh\0"}, "NUL"),
        ({"command": "sh", "toolTimeout": 0}, "greater than 0"),
        ({"command": "sh", "toolTimout": 5}, "Extra inputs"),
        ({"command": "sh", "trust": "always"}, "'pin' or 'auto'"),
        ("sh", "dictionary"),
    ],
)
def test_what_can_not_work_is_refused_in_words(section: object, word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        McpConfig.model_validate({"a": section})


def test_values_that_may_be_secret_do_not_show() -> None:
    section = {
        "url": "https://x.test",
        "headers": {"X-Key": "s3cret-value"},
        "clientSecret": "s3cr3t",
    }
    config = McpConfig.model_validate({"a": section, "b": STDIO})
    assert "s3c" not in repr(config)
    assert "s3c" not in config.model_dump_json()
    assert config.servers["b"].env["KEY"].reveal() == "s3cret-value"
