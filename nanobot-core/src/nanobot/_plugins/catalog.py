"""What is installed, from distribution metadata alone: no plugin code runs here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions

from nanobot import API_VERSION, __version__, _names

_ENTRY = re.compile(r"^[ \t]*([^=#;\s][^=\n]*?)[ \t]*=[ \t]*(\S+)", re.MULTILINE)
_SECTION = re.compile(r"^[ \t]*\[([^\]\n]+)\][ \t]*$", re.MULTILINE)
_CORE = re.compile(
    r"^Requires-Dist:[ \t]*nanobot[-_.]core(?![\w.-]*\w)[ \t]*(?:\[[^\]\n]*\])?[ \t]*\(?"
    r"(?:@[^;\n]*|([^;)\n@]*))",
    re.MULTILINE | re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """An entry point of a plugin.

    Args:
        api: Major version of the plugin API that its group names.
        value: Import string of the module, or of the command for kind ``cli``.
        requires: Version range of the core that its distribution asks for, empty for any.
    """

    kind: str
    name: str
    value: str
    distribution: str
    version: str
    api: int = API_VERSION
    requires: str = ""

    @property
    def id(self) -> str:
        """Return the plugin's id."""
        return f"{self.kind}.{self.name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalog:
    """All entries of the installed plugins and CLI commands, in the order of their ids."""

    plugins: tuple[Entry, ...]
    commands: Mapping[str, Entry]

    def kinds(self) -> tuple[str, ...]:
        """Return the kinds of which at least one plugin is installed."""
        return tuple(dict.fromkeys(entry.kind for entry in self.plugins))


def scan(found: Iterable[Distribution] | None = None) -> Catalog:
    """Read the metadata of all distributions on the path once.

    Args:
        found: Distributions to read in place of the installed ones.
    """
    seen: set[str] = set()
    entries: list[Entry] = []
    for distribution in distributions() if found is None else found:
        text = _read(distribution, "entry_points.txt")
        if "nanobot.v" not in text:
            continue
        metadata = _read(distribution, "METADATA") or _read(distribution, "PKG-INFO")
        head = metadata.partition("\n\n")[0]
        name = _header(head, "Name")
        normal = re.sub(r"[-_.]+", "-", name).lower()
        if normal in seen:  # the first on the path wins, as for imports
            continue
        seen.add(normal)
        core = _CORE.search(head)
        for api, kind, entry, value in _entries(text):
            entries.append(
                Entry(
                    kind=kind,
                    name=entry,
                    value=value,
                    distribution=name,
                    version=_header(head, "Version"),
                    api=api,
                    requires=(core[1] or "").strip() if core else "",
                )
            )
    entries.sort(key=lambda entry: (entry.id, entry.distribution))
    return Catalog(
        plugins=tuple(entry for entry in entries if entry.kind != "cli"),
        commands={
            entry.name: entry
            for entry in sorted(entries, key=lambda entry: entry.distribution == "nanobot-core")
            if entry.kind == "cli"
        },
    )


def _read(distribution: Distribution, name: str) -> str:
    """Return a metadata file; one that can not be read is nobody's, not the end of all plugins."""
    try:
        return distribution.read_text(name) or ""
    except (OSError, UnicodeError):
        return ""


def _header(head: str, name: str) -> str:
    found = re.search(rf"^{name}:[ \t]*(\S+)", head, re.MULTILINE)
    return found[1] if found else ""


def _entries(text: str) -> Iterable[tuple[int, str, str, str]]:
    parts = _SECTION.split(text)
    for group, body in zip(parts[1::2], parts[2::2], strict=True):
        parsed = _names.parse_group(group)
        if parsed:
            for name, value in _ENTRY.findall(body):
                yield (*parsed, name, value)


def incompatibility(entry: Entry) -> str:
    """Say why an entry does not fit this core, empty when it does."""
    if entry.api != API_VERSION:
        return (
            f"built for plugin API v{entry.api}, this core speaks v{API_VERSION}; "
            f"pip install --upgrade {entry.distribution} nanobot-core"
        )
    if entry.requires and not _satisfied(entry.requires):
        return (
            f"needs nanobot-core {entry.requires}, installed is {__version__}; "
            f"pip install --upgrade {entry.distribution} nanobot-core"
        )
    return ""


_verdicts: dict[str, bool] = {}


def _satisfied(requires: str) -> bool:
    if requires not in _verdicts:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        try:
            _verdicts[requires] = SpecifierSet(requires).contains(__version__, prereleases=True)
        except InvalidSpecifier:
            _verdicts[requires] = False
    return _verdicts[requires]
