"""The naming law: how kinds, groups, distributions, ids and keys follow from each other."""

from __future__ import annotations

import re

from nanobot_settings.spelling import camel as camel
from nanobot_settings.spelling import snake as snake

from nanobot import API_VERSION

_SINGULAR = {
    "engines": "engine",
    "providers": "provider",
    "channels": "channel",
    "tools": "tool",
    "commands": "command",
    "services": "service",
    "sandboxes": "sandbox",
    "stores": "store",
    "prompts": "prompt",
    "routers": "router",
    "observers": "observer",
    "enrichers": "enricher",
    "images": "image",
}
_SHARED = {
    "provider-byteplus-coding-plan": "provider-byteplus",
    "provider-opencode-go": "provider-opencode",
    "provider-opencode-zen": "provider-opencode",
    "provider-volcengine-coding-plan": "provider-volcengine",
}
"""A vendor's plans, which come in one distribution."""
STANDARD_PARTS = (
    "nanobot-cli-admin",
    "nanobot-command-core",
    "nanobot-engine-standard",
    "nanobot-prompt-core",
    "nanobot-router-standard",
)
"""What the core depends on; a list of allowed plugins need not name them."""
_GROUP = re.compile(r"nanobot\.v(\d+)\.([a-z_]+)")


def group(kind: str) -> str:
    """Return the entry-point group of a kind: ``nanobot.v1.tools``."""
    return f"nanobot.v{API_VERSION}.{kind}"


def parse_group(text: str) -> tuple[int, str] | None:
    """Return the API version and kind of an entry-point group, None when it is not ours."""
    found = _GROUP.fullmatch(text)
    return (int(found[1]), found[2]) if found else None


def distribution(kind: str, name: str) -> str:
    """Return the distribution that provides a plugin: ``nanobot-channel-feishu``."""
    slug = f"{_SINGULAR.get(kind, kind)}-{snake(name).replace('_', '-')}"
    return f"nanobot-{_SHARED.get(slug, slug)}"


def install_hint(kind: str, name: str) -> str:
    """Return the line that cures a missing plugin."""
    return f"pip install {distribution(kind, name)}"
