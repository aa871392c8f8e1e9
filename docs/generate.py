"""Fills in the parts of the documentation that follow from the code.

A page marks such a part by two comments::

    <!-- generated: spec ToolSpec -->
    <!-- end -->

``python docs/generate.py`` rewrites everything between the two. tests/test_docs.py fails while a
page differs from what would be written.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from nanobot._config.migrate import MOVES
from nanobot._config.schema import CoreSettings
from nanobot_cli_admin.known import ELSEWHERE
from nanobot_cli_admin.shapes import SHAPES
from nanobot_command_core.plugin import nanobot_commands

DOCS = Path(__file__).parent
REPOSITORY = DOCS.parent
BLOCK = re.compile(r"(?m)^<!-- generated: (.+?) -->\n(?s:.*?)^<!-- end -->$")
KINDS = (
    *("bundle", "engine", "router", "tool", "provider", "command", "prompt"),
    *("middleware", "observer", "cli"),
)
LIBRARIES = {
    "nanobot-documents",
    "nanobot-provider-compat",
    "nanobot-security",
    "nanobot-settings",
    "nanobot-testing",
}
UNUSED = {
    "agents.defaults": {
        "disabledSkills",
        "idleCompactAfterMinutes",
        "idleCompactCheckIntervalSeconds",
        "consolidationRatio",
        "failOnToolError",
    },
    "modelPresets.NAME": {"label"},
}
"""Keys that are accepted and checked, and that nothing reads in this version."""


MEANINGS = {
    "account": "Account of the channel.",
    "arguments": "The arguments, parsed where they are valid JSON.",
    "call": "The model's call.",
    "channel": "Name of the channel.",
    "chat": "The chat, by the platform's stable id.",
    "content": "The text of a completed stretch, or what a tool returned.",
    "delta": "Text to append to what is already shown.",
    "error": "What went wrong, empty when nothing did.",
    "limits": "When a turn must come to an end.",
    "host": "What a command may know about nanobot.",
    "model": "The model that answered.",
    "name": "Name of the tool.",
    "principal": "Who speaks.",
    "result": "What it came to.",
    "resuming": "More text follows after tools or another answer.",
    "session": "The session, as a command may use it.",
    "session_key": "Key of the session.",
    "stop_reason": "Why it ended.",
    "text": "The text.",
    "thread": "The thread in the chat, empty for none.",
    "tool_call_id": "Id of the model's call.",
    "turn": "The facts about the turn.",
    "turn_id": "Id of the turn.",
    "type": "What happened, one of the types above.",
    "usage": "What the model calls used.",
}
"""What fields mean whose classes leave it to their name."""


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a markdown table."""
    head = list(head)
    lines = [head, ["---"] * len(head), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def code(text: str, language: str = "") -> str:
    """Return a fenced code block."""
    return f"```{language}\n{text.strip()}\n```"


# --- configuration -------------------------------------------------------------------------------


def core_settings() -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """Yield every key of the core: its path, its JSON schema, and whether it must be given."""
    schema = CoreSettings.model_json_schema()
    yield from _settings(schema, schema["$defs"], "")


def _settings(
    node: Mapping[str, Any], definitions: Mapping[str, Any], above: str
) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    for name, field in node.get("properties", {}).items():
        path = f"{above}.{name}" if above else name
        inner = _model(field, definitions)
        named = _model(field.get("additionalProperties"), definitions)
        listed = [_model(arm, definitions) for arm in field.get("items", {}).get("anyOf", ())]
        if inner:
            yield from _settings(inner, definitions, path)
        elif named:
            yield from _settings(named, definitions, f"{path}.NAME")
        else:
            yield path, field, name in node.get("required", ())
            for item in filter(None, listed):
                yield from _settings(item, definitions, f"{path}[]")


def _model(field: Any, definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = field.get("$ref", "") if isinstance(field, Mapping) else ""
    found: Mapping[str, Any] = definitions[reference.rpartition("/")[2]] if reference else {}
    return found


def core_config(section: str) -> str:
    """Describe the keys of one section."""
    rows = []
    for path, field, required in core_settings():
        above, _, key = path.rpartition(".")
        if above == section:
            mark = " †" if key in UNUSED.get(section, ()) else ""
            default = "required" if required else f"`{_json(field.get('default'))}`"
            rows.append((f"`{key}`{mark}", _type(field), default, field["description"]))
    if not rows:
        raise SystemExit(f"the core has no keys in {section}")
    return table(("key", "type", "default", "meaning"), rows)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _type(field: Mapping[str, Any]) -> str:
    if "enum" in field or "const" in field:
        return " or ".join(f"`{_json(value)}`" for value in field.get("enum", [field.get("const")]))
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_type(arm) for arm in field["anyOf"]))
    if "$ref" in field:
        return "object"
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}"
    if field.get("type") == "object":
        values = field.get("additionalProperties")
        return f"object of {_type(values)}" if values else "object"
    return str(field["type"]) + _bounds(field)


def _bounds(field: Mapping[str, Any]) -> str:
    words = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
    }
    found = [f"{word} {field[name]}" for name, word in words.items() if name in field]
    return f" ({', '.join(found)})" if found else ""


def elsewhere() -> str:
    """List the sections that belong to plugins and do not stand at ``<kind>.<name>``."""
    rows = [(path, f"the plugin `{kind}.{name}`") for path, (kind, name) in ELSEWHERE.items()]
    known = SHAPES
    for path, model in known.items():
        keys = (field.alias or name for name, field in model.model_fields.items())
        rows.append((path, f"shared; keys {', '.join(f'`{key}`' for key in keys)}"))
    return table(("section", "whose"), ((f"`{path}`", whose) for path, whose in sorted(rows)))


def moves() -> str:
    """List the settings that have another place now."""
    rows = [(f"`{old}`", f"`{new}`") for old, new in MOVES.items()]
    return table(("older", "now"), rows)


# --- the command line ----------------------------------------------------------------------------


def commands() -> dict[str, click.Command]:
    """Return the commands that the distributions of this repository bring, by name."""
    found = {}
    for _, project in projects():
        for name, value in project.get("entry-points", {}).get("nanobot.v1.cli", {}).items():
            module, _, attribute = value.partition(":")
            found[name] = getattr(import_module(module), attribute)
    return found


def walk(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and all its subcommands, by their full names."""
    yield name, command
    if isinstance(command, click.Group):
        for part, inner in sorted(command.commands.items()):
            yield from walk(inner, f"{name} {part}")


def cli(*words: str) -> str:
    """Describe one command and what is below it."""
    parts = []
    for name, command in walk(commands()[words[0]], " ".join(words)):
        # With the group's names for help: click keeps the option that it makes first.
        names = ["-h", "--help"]
        made = click.Context(command, info_name=f"nanobot {name}", help_option_names=names)
        with made as context:
            usage = " ".join(command.collect_usage_pieces(context))
            parts.append(f"### nanobot {name}")
            parts.append(code(f"nanobot {name} {usage}", "text"))
            parts.append(_prose(command.help or "").replace("***", "`***`"))
            options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
            rows = [record for option in options if (record := option.get_help_record(context))]
        if rows:
            parts.append(table(("option", "meaning"), ((f"`{o}`", _sentence(t)) for o, t in rows)))
    return "\n\n".join(parts)


def _sentence(text: str) -> str:
    return text.replace("  [", " [")


def _prose(text: str) -> str:
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def slash_commands() -> str:
    """Describe the commands of nanobot-command-core, which are typed in a chat."""
    rows = [
        (f"`/{spec.name} {spec.usage}".strip() + "`", spec.description, f"{spec.role}")
        for spec in nanobot_commands()
    ]
    return table(("command", "does", "needs the role"), sorted(rows))


# --- the plugin API ------------------------------------------------------------------------------


def record(path: str) -> str:
    """Describe the fields of a dataclass, given as ``nanobot.specs:ToolSpec``."""
    made = _find(path)
    described = _arguments(made)
    rows = []
    for field in dataclasses.fields(made):
        meaning = described.get(field.name) or MEANINGS.get(field.name, "")
        rows.append((f"`{field.name}`", f"`{field.type}`", _default(field), meaning))
    return f"{_summary(made)}\n\n{table(('field', 'type', 'default', 'meaning'), rows)}"


def _find(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def _summary(made: Any) -> str:
    return _prose(_documentation(made).partition("\n\nArgs:")[0])


def _documentation(made: Any) -> str:
    text = inspect.cleandoc(made.__doc__ or "")
    return "" if text.startswith(f"{getattr(made, '__name__', '')}(") else text


def _arguments(made: type) -> dict[str, str]:
    """Return what the docstrings of a class and its bases say of each field."""
    found: dict[str, str] = {}
    for base in reversed(made.__mro__):
        _, _, text = _documentation(base).partition("Args:\n")
        for name, meaning in re.findall(r"(?m)^    (\w+): (.*(?:\n {8}.*)*)", text):
            found[name] = " ".join(meaning.split()).replace("``", "`")
    return found


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        made = field.default_factory()
        return f"`{made!r}`" if isinstance(made, dict | list) else f"`{type(made).__name__}()`"
    if field.default is dataclasses.MISSING:
        return "required"
    value = field.default
    if isinstance(value, enum.Enum):
        return f"`{type(value).__name__}.{value.name}`"
    if isinstance(value, type):
        return f"`{value.__name__}`"
    if dataclasses.is_dataclass(value):
        return f"`{type(value).__name__}()`"
    return f"`{value!r}`" if not callable(value) else "none"


def methods(path: str) -> str:
    """Describe the methods and properties of a class or protocol."""
    made = _find(path)
    parts = [_rest(_summary(made).partition("\n\nArgs:")[0])]
    for name, member in vars(made).items():
        if not name.startswith("_") and (callable(member) or isinstance(member, property)):
            parts.append(_member(name, member))
    return "\n\n".join(part for part in parts if part)


def function(path: str) -> str:
    """Describe one method, given as ``nanobot.sdk:Nanobot.run``."""
    owner, _, name = path.rpartition(".")
    return _member(name, vars(_find(owner))[name])


def _member(name: str, member: Any) -> str:
    head = {property: "@property\n", classmethod: "@classmethod\n"}.get(type(member), "")
    method = getattr(member, "fget", None) or getattr(member, "__func__", member)
    return f"{code(head + _signature(name, method), 'python')}\n\n{_described(method)}"


def _signature(name: str, method: Any) -> str:
    """Return a method's head, broken over lines as the formatter breaks it."""
    word = "async def" if inspect.iscoroutinefunction(method) else "def"
    signature = inspect.signature(method)
    text = _plain(signature)
    inside, answer = text[1:].rsplit(") -> ", 1)
    found = signature.parameters.values()
    one_a_line = [_plain(parameter) for parameter in found]
    star = next((n for n, p in enumerate(found) if p.kind is p.KEYWORD_ONLY), None)
    if star is not None:
        one_a_line.insert(star, "*")
    for body in (inside, f"\n    {inside}\n", "".join(f"\n    {p}," for p in one_a_line) + "\n"):
        head = f"{word} {name}({body}) -> {answer}: ..."
        if max(map(len, head.split("\n"))) <= 100:
            break
    return head


def _plain(shown: object) -> str:
    """Return a signature as it is written: annotations bare, texts in double quotes."""
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(shown))
    return re.sub(r"= '([^']*)'", r'= "\1"', text)


def _described(method: Any) -> str:
    """Return a docstring as markdown: sections become lists."""
    text = _documentation(method)
    head, *sections = re.split(r"(?m)^(?=Args:|Raises:|Yields:|Returns:)", text)
    lines = [_rest(_prose(head))]
    for section in sections:
        title, _, body = section.partition("\n")
        items = re.findall(r"(?m)^    (\S.*(?:\n {8}.*)*)", body)
        lines.append("\n".join([title, "", *(f"- {' '.join(item.split())}" for item in items)]))
    return _rest("\n\n".join(line for line in lines if line))


def _rest(text: str) -> str:
    return text.replace("``", "`")


_SPEC_PAGES = {"Finding": "[`Finding`](objects.md#finding)"}
"""Where what a hook returns is described, if not with the specs."""


def kinds() -> str:
    """List the kinds that the core knows: hook, group and spec."""
    hooks = import_module("nanobot.hookspecs")
    rows = []
    for name, function in vars(hooks).items():
        spec = (
            re.search(r"Iterable\[(\w+)\]", str(function.__annotations__.get("return", "")))
            if (name.startswith("nanobot_"))
            else None
        )
        if spec and name != "nanobot_kinds":
            kind = name.removeprefix("nanobot_")
            rows.append(
                (
                    f"`{kind}`",
                    f"[`{name}`](hooks.md#{name})",
                    f"`nanobot.v1.{kind}`",
                    _SPEC_PAGES.get(spec[1], f"[`{spec[1]}`](specs.md#{spec[1].lower()})"),
                )
            )
    return table(("kind", "hook", "entry-point group", "spec"), rows)


def errors() -> str:
    """Show the tree of errors."""
    text = inspect.cleandoc(import_module("nanobot.errors").__doc__ or "")
    tree = text.partition("::\n\n")[2].partition("\n\n")[0]
    return code(inspect.cleandoc(tree), "text")


def source(path: str) -> str:
    """Show a file of the repository, under its path in its own project."""
    text = (DOCS / path).read_text()
    language = {".toml": "toml", ".py": "python", ".md": "markdown"}[Path(path).suffix]
    fence = "````" if "```" in text else "```"
    shown = "/".join(Path(path).parts[2:])
    return f"`{shown}`\n\n{fence}{language}\n{text.rstrip()}\n{fence}"


# --- the directory -------------------------------------------------------------------------------


def projects() -> list[tuple[Path, dict[str, Any]]]:
    """Return the folder and the metadata of every distribution of this repository."""
    folders = [REPOSITORY / "nanobot-core", *sorted((REPOSITORY / "plugins").iterdir())]
    found = [folder / "pyproject.toml" for folder in folders]
    return [
        (path.parent, tomllib.loads(path.read_text())["project"]) for path in found if path.exists()
    ]


def directory() -> str:
    """List all plugins of this repository."""
    rows = []
    for folder, project in projects():
        name = project["name"]
        if name == "nanobot-core":
            continue
        kind = "library" if name in LIBRARIES else name.split("-")[1]
        link = f"[{name}](../../plugins/{folder.name}/README.md)"
        rows.append((link, kind, project["description"]))
    order = {kind: number for number, kind in enumerate(KINDS)}
    rows.sort(key=lambda row: (order.get(row[1], len(order)), row[0]))
    return table(("distribution", "kind", "what it does"), rows)


# --- pages ---------------------------------------------------------------------------------------

GENERATORS: dict[str, Callable[..., str]] = {
    "cli": cli,
    "core-config": core_config,
    "directory": directory,
    "elsewhere": elsewhere,
    "errors": errors,
    "file": source,
    "function": function,
    "kinds": kinds,
    "methods": methods,
    "moves": moves,
    "record": record,
    "slash-commands": slash_commands,
}


def fill(page: str) -> str:
    """Return a page with its generated parts written anew."""

    def write(found: re.Match[str]) -> str:
        name, *arguments = found[1].split()
        return f"<!-- generated: {found[1]} -->\n\n{GENERATORS[name](*arguments)}\n\n<!-- end -->"

    return BLOCK.sub(write, page)


def main() -> None:
    """Rewrite the pages; say which ones changed."""
    for path in sorted(DOCS.rglob("*.md")):
        before = path.read_text()
        after = fill(before)
        if after != before:
            path.write_text(after)
            sys.stdout.write(f"{path.relative_to(REPOSITORY)}\n")


if __name__ == "__main__":
    main()
