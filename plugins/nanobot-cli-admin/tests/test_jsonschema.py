"""The schema of the file covers the core's settings and the sections of plugins."""

from __future__ import annotations

import json
from typing import Any

from nanobot.specs import Spec
from nanobot_cli_admin.jsonschema import json_schema


def at(schema: dict[str, Any], path: str) -> dict[str, Any]:
    node = schema
    for part in path.split("."):
        node = node["properties"][part] if part != "*" else node["additionalProperties"]
        while "$ref" in node:
            node = schema["$defs"][node["$ref"].removeprefix("#/$defs/")]
    return node


def test_it_describes_every_section(specs: dict[str, list[Spec]]) -> None:
    schema = json_schema(specs)
    assert at(schema, "agents.defaults.maxTokens")["minimum"] == 1
    assert at(schema, "agents.defaults.workspace")["description"]
    assert at(schema, "modelPresets.*.model")["type"] == "string"
    assert at(schema, "tools.exec.sandbox")["enum"] == ["auto", "bwrap", "landlock", ""]
    assert at(schema, "tools.restrictToWorkspace")["type"] == "boolean"
    assert at(schema, "providers.azureOpenai.extraHeaders")["type"] == "object"
    assert at(schema, "gateway.heartbeat.enabled")["type"] == "boolean"
    assert at(schema, "gateway.port")["maximum"] == 65535
    assert at(schema, "channels.telegram.peers.*.chatId")["type"] == "string"
    assert at(schema, "channels.telegram.token")["type"] == "string"


def test_every_reference_leads_somewhere(specs: dict[str, list[Spec]]) -> None:
    schema = json_schema(specs)
    text = json.dumps(schema)
    names = {part.split('"')[0] for part in text.split("#/$defs/")[1:]}
    assert names <= set(schema["$defs"])
    assert "channels.telegram.Peer" in names


def test_the_core_alone_has_a_schema() -> None:
    assert "agents" in json_schema({})["properties"]
