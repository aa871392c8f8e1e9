"""What a server has on offer, as plain data that can be pinned, and as tools for a model."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from nanobot.messages import Effect, Effects, Role
from nanobot.specs import ToolDefinition

from nanobot_tool_mcp.config import ServerConfig
from nanobot_tool_mcp.schema import repair

Kind = Literal["tool", "prompt", "resource", "template"]
LIMITS: Mapping[Kind, int] = {"tool": 256, "prompt": 64, "resource": 64, "template": 64}
"""How many of each kind are offered; what a server lists beyond is left out."""

DEADLINE_S = 86_400.0
MAX_DESCRIPTION = 4_000
_SPACES = re.compile(r"[ \t]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One tool, prompt, resource or resource template of a server.

    Args:
        ident: Name, URI or URI template, by which the server knows it.
        name: What people call it; equal to the ident where that is a name.
        listing: All else that a model or the policy sees of it, as JSON.
    """

    kind: Kind
    ident: str
    name: str
    listing: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Return what is unique within the server."""
        return f"{self.kind}:{self.ident}"

    def to_json(self) -> dict[str, Any]:
        """Return it as `from_json` takes it."""
        return {"kind": self.kind, "ident": self.ident, "name": self.name, "listing": self.listing}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Item:
        """Return what `to_json` wrote; raises KeyError or TypeError for anything else."""
        if data["kind"] not in LIMITS or not isinstance(data["listing"], dict):
            raise TypeError("this is no item")
        return Item(
            kind=data["kind"],
            ident=str(data["ident"]),
            name=str(data["name"]),
            listing=data["listing"],
        )


# --- as a model sees it --------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """A tool for the model.

    Args:
        nulls: Arguments to send as null when the model leaves them out.
    """

    definition: ToolDefinition
    nulls: frozenset[str]


def offer(item: Item, name: str, server: str, config: ServerConfig) -> Offer:
    """Return an item as a tool of the given name."""
    repaired = repair(_schema(item))
    about = clean(str(item.listing.get("description", ""))) or f"The {item.kind} {clean(item.name)}"
    lead = {"tool": "", "prompt": "Return a prompt. "}.get(item.kind, "Read a resource. ")
    return Offer(
        definition=ToolDefinition(
            name=name,
            description=f"{lead}{about} [MCP server {clean(server)}]",
            parameters=repaired.schema,
            effects=_effects(item, config),
            # The call keeps `toolTimeout` itself, but for the time that a person takes to answer.
            deadline_s=DEADLINE_S,
            role=Role.USER,
        ),
        nulls=repaired.nulls,
    )


def _schema(item: Item) -> object:
    if item.kind == "tool":
        return item.listing.get("inputSchema", {})
    if item.kind == "template":
        names = [str(name) for name in item.listing.get("variables", [])]
        return {
            "properties": {name: {"type": "string"} for name in names},
            "required": names,
            "additionalProperties": False,
        }
    arguments = [one for one in item.listing.get("arguments", []) if isinstance(one, dict)]
    return {
        "properties": {
            one["name"]: {"type": "string", "description": clean(one.get("description", ""))}
            for one in arguments
        },
        "required": [one["name"] for one in arguments if one.get("required")],
        "additionalProperties": False,
    }


def _effects(item: Item, config: ServerConfig) -> Effects:
    """Return what a call may do; a server's own word counts only when the owner trusts it."""
    touches = {Effect.NET, Effect.EXEC} if config.kind == "stdio" else {Effect.NET}
    hints = item.listing.get("annotations", {}) if config.trust == "auto" else {}
    reads = item.kind != "tool" and config.trust == "auto"
    return Effects(
        touches=frozenset(touches),
        read_only=reads or hints.get("readOnlyHint") is True,
        idempotent=reads or hints.get("idempotentHint") is True,
    )


def clean(text: str) -> str:
    """Return a text without characters that people do not see, and not without end."""
    seen = "".join(
        char
        for char in text[: 2 * MAX_DESCRIPTION]
        if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cf", "Co", "Cs", "Cn")
    )
    seen = _SPACES.sub(" ", seen).strip()
    return seen if len(seen) <= MAX_DESCRIPTION else f"{seen[:MAX_DESCRIPTION]} …"
