"""`nanobot plugins show`: all that can be said of a plugin without opening it."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from nanobot.admin import Plugin, Status, section_path
from nanobot.config import Secret
from nanobot.messages import Effect
from nanobot.specs import CommandSpec, ProviderSpec, Spec, ToolDefinition, ToolSpec
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from nanobot_cli_admin.installed import remedy
from nanobot_cli_admin.text import listing, one_line, say, wrapped

_PLAIN = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    Secret: "secret",
    Path: "path",
    type(None): "null",
    Any: "any",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """A field of a plugin's configuration section."""

    key: str
    type: str
    default: str
    description: str


def show(status: Status, plugin: Plugin | None, *, sandboxes: Sequence[str] = ()) -> None:
    """Print what a plugin is, offers and can be set to.

    Args:
        plugin: None when it could not be registered.
        sandboxes: Names of the sandboxes that are installed.
    """
    entry = status.entry
    title = plugin.spec.title if plugin else ""
    say(f"{entry.id}" + (f" — {title}" if title else ""))
    summary = _summary(entry.distribution)
    if summary:
        say(wrapped(summary, 2))
    facts = [("distribution", f"{entry.distribution} {entry.version}")]
    facts.append(("state", "enabled" if status.state.usable else str(status.state)))
    if status.reason:
        facts += [("", line) for line in (one_line(status.reason), remedy(status)) if line]
    if entry.requires:
        facts.append(("needs", f"nanobot-core {entry.requires}"))
    if entry.kind == "cli":
        facts.append(("command", f"nanobot {entry.name}"))
    if plugin:
        facts += [fact for fact in _offer(plugin.spec, sandboxes) if fact[1]]
    listing(facts, indent=2)
    if plugin:
        say(f"\nSettings, in section {'.'.join(section_path(plugin.spec, plugin.kind))}:")
        for setting in settings(plugin.spec.config):
            say(f"  {setting.key}: {setting.type}{setting.default and f' = {setting.default}'}")
            say(wrapped(setting.description, 6))


def _summary(distribution: str) -> str:
    try:
        return str(metadata(distribution)["Summary"] or "")
    except PackageNotFoundError:
        return ""


def _offer(spec: Spec, sandboxes: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield what a spec says beside its settings."""
    if isinstance(spec, ToolSpec):
        for tool in spec.tools:
            first, dot, _ = one_line(tool.description).partition(". ")
            yield "tool", f"{tool.name}: {first}{dot.strip()}"
            yield "", _powers(tool)
        if any(Effect.EXEC in tool.effects.touches for tool in spec.tools):
            yield "sandboxes", ", ".join(sandboxes) or "none is installed"
    if isinstance(spec, CommandSpec):
        yield "command", f"/{spec.name.replace('_', '-')} {spec.usage}".strip()
        yield "", spec.description
    if isinstance(spec, ProviderSpec):
        yield "key", " or ".join(spec.env_keys) or ("" if spec.needs_key else "none needed")
        yield "model", spec.default_model and f"{spec.default_model} unless another is configured"
        yield "local", spec.probe_url
        yield "gateway", "passes on the models of many vendors" if spec.gateway else ""
        yield "keys begin", " or ".join(spec.key_prefixes)
        yield "addresses", ", ".join(spec.base_hosts)


def _powers(tool: ToolDefinition) -> str:
    """Say what a tool may do, for whom, and how the host runs it."""
    effects = tool.effects
    kind = "only reads" if effects.read_only else "changes things"
    touched = ", ".join(sorted(effects.touches)) or "nothing outside"
    again = (
        "may be run again after a crash" if effects.repeatable else "not run again after a crash"
    )
    alone = "side by side" if tool.concurrent or effects.read_only else "one at a time"
    return (
        f"touches {touched}; {kind}; {again}; needs role {tool.role}; {alone}; "
        f"at most {tool.deadline_s:g} s"
    )


def settings(model: type[BaseModel], prefix: str = "") -> Iterator[Setting]:
    """Yield the fields of a model in the order of their definition, those of inner models after."""
    for name, field in model.model_fields.items():
        key = prefix + (field.alias or name)
        yield Setting(
            key=key,
            type=_type(field.annotation),
            default=""
            if field.is_required()
            else _default(field.get_default(call_default_factory=True)),
            description=one_line(field.description or ""),
        )
        inner = [kind for kind in _arms(field.annotation) if _is_model(kind)]
        for kind in inner:
            yield from settings(kind, f"{key}.")


def _default(value: Any) -> str:
    if isinstance(value, BaseModel):
        return ""
    return json.dumps(to_jsonable_python(value, by_alias=True, fallback=str), ensure_ascii=False)


def _arms(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) in (Union, types.UnionType):
        return get_args(annotation)
    return (annotation,)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _type(annotation: Any) -> str:
    """Return a type in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(_type(arm) for arm in arguments)
    if origin is Literal:
        return " | ".join(json.dumps(value) for value in arguments)
    if origin in (list, tuple, set, frozenset):
        return f"list of {_type(arguments[0])}" if arguments else "list"
    if origin is dict:
        return f"object of {_type(arguments[1])}"
    if origin is not None and hasattr(annotation, "__metadata__"):
        return _type(arguments[0])
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " | ".join(json.dumps(member.value) for member in annotation)
    if _is_model(annotation) or annotation is dict:
        return "object"
    return str(_PLAIN.get(annotation) or getattr(annotation, "__name__", annotation))
