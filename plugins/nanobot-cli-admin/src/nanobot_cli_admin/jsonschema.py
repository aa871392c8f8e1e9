"""The JSON Schema of the whole configuration file, for editors and for `nanobot config schema`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nanobot.admin import CoreSettings, section_path
from nanobot.config import ConfigModel
from nanobot.specs import Spec

from nanobot_cli_admin.shapes import SHAPES


def json_schema(specs: Mapping[str, Iterable[Spec]]) -> dict[str, Any]:
    """Return the schema of the core's settings and of the given plugins' sections.

    Args:
        specs: What plugins offer, by kind.
    """
    definitions: dict[str, Any] = {}
    schema = _schema_of(CoreSettings, "core", definitions)
    for name, model in SHAPES.items():
        shared = _schema_of(model, name, definitions)
        shared.pop("additionalProperties")  # sections of plugins stand inside
        schema["properties"][name] = shared
    for kind, offered in specs.items():
        for spec in offered:
            path = section_path(spec, kind)
            node = schema
            for part in path[:-1]:
                properties = node.setdefault("properties", {})
                node = properties.setdefault(part, {"type": "object"})
                while "$ref" in node:
                    node = definitions[node["$ref"].removeprefix("#/$defs/")]
            section = _schema_of(spec.config, ".".join(path), definitions)
            node.setdefault("properties", {})[path[-1]] = section
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "nanobot configuration",
        "$defs": definitions,
    }


def _schema_of(
    model: type[ConfigModel], prefix: str, definitions: dict[str, Any]
) -> dict[str, Any]:
    """Return a model's schema; its inner models go to the definitions, under names of their own."""
    schema = model.model_json_schema(ref_template=f"#/$defs/{prefix}.{{model}}")
    for name, definition in schema.pop("$defs", {}).items():
        definitions[f"{prefix}.{name}"] = definition
    return schema
