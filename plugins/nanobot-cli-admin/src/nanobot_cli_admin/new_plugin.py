"""`nanobot plugins new`: a plugin to start from, written from templates."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

from nanobot import __version__, admin
from nanobot.errors import ConfigError
from nanobot_settings.spelling import camel, snake

_TEMPLATES = Path(__file__).parent / "templates" / "plugin"
_SUMMARIES = {
    "tool": "The tool {name} for nanobot.",
    "provider": "The models of {title} for nanobot.",
    "command": "The slash command /{command} for nanobot.",
    "prompt": "A section of the prompt for nanobot: {title}.",
    "middleware": "Middleware for nanobot: {title}.",
    "channel": "{title} as a channel of nanobot.",
    "service": "A service for the gateway of nanobot: {title}.",
    "store": "A store for the gateway of nanobot: {title}.",
}
_LIBRARIES = {
    "provider": "nanobot-provider-compat",
    **dict.fromkeys(("channel", "service", "store"), "nanobot-gateway"),
}
"""What plugins of a kind build on, beside the core."""


def create(kind: str, name: str, folder: Path) -> Path:
    """Write a plugin and return its folder.

    Args:
        kind: Singular, as in the name of the distribution.
        name: In any spelling; a distribution's name is taken apart.
        folder: Where to make the distribution's folder.

    Raises:
        ConfigError: The name can not be used, or the folder exists; nothing was written.
    """
    slug = snake(name.removeprefix(f"nanobot-{kind}-"))
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", slug):
        raise ConfigError(
            f"{name!r} can not name a plugin",
            remedy="Use letters, digits and _ with a letter first, such as: dice, azure_openai",
        )
    values = _values(kind, slug)
    target = folder.expanduser() / values["distribution"]
    try:
        target.mkdir(parents=True)
    except FileExistsError:
        raise ConfigError(
            f"{target} exists already; nothing was written",
            remedy="Take another name, or another folder with --dir.",
        ) from None
    except OSError as error:
        raise ConfigError(f"{target} can not be made: {error.strerror}") from None
    for root in (_TEMPLATES / "common", _TEMPLATES / kind):
        for template in sorted(root.rglob("*.tmpl")):
            relative = str(template.relative_to(root)).removesuffix(".tmpl")
            path = target / relative.replace("PACKAGE", values["package"])
            path.parent.mkdir(parents=True, exist_ok=True)
            text = Template(template.read_text("utf-8")).substitute(values)
            path.write_text(text, "utf-8")
    return target


def _values(kind: str, slug: str) -> dict[str, str]:
    kinds = kind if kind == "middleware" else f"{kind}s"
    distribution = admin.distribution(kinds, slug)
    words = [word.capitalize() for word in slug.split("_")]
    values = {
        "kind": kind,
        "name": slug,
        "slug": slug.replace("_", "-"),
        "command": slug.replace("_", "-"),
        "id": f"{kinds}.{slug}",
        "group": admin.group(kinds),
        "section": f"{kinds}.{camel(slug)}",
        "distribution": distribution,
        "package": distribution.replace("-", "_"),
        "class_name": "".join(words),
        "title": " ".join(words),
        "variable": f"{slug.upper()}_API_KEY",
    }
    needed = ["nanobot-core", *filter(None, [_LIBRARIES.get(kind)])]
    values["dependencies"] = "\n".join(f'  "{name}{_this_version()}",' for name in needed)
    values["summary"] = _SUMMARIES[kind].format(**values)
    return values


def _this_version() -> str:
    """Return the range of versions that keep the promises of this one."""
    major, minor = map(int, __version__.split(".")[:2])
    return f">={major}.{minor},<{major}.{minor + 1}"
