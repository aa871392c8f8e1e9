"""The documentation is complete, current, and works."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pluggy
import pytest
from nanobot import hookspecs, specs
from nanobot._cli.main import cli
from nanobot._config.schema import CoreSettings
from nanobot.engine import EngineSpec
from nanobot.findings import AdviceRequest
from nanobot.routing import RouteRequest
from nanobot_testing import make_context, run
from pydantic import BaseModel

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
READ_BY_PEOPLE = [
    *sorted(path for path in DOCS.rglob("*.md") if "decisions" not in path.parts),
    *sorted(
        path for path in (ROOT / "README.md", ROOT / "nanobot-core" / "README.md") if path.exists()
    ),
]
READMES = sorted((ROOT / "plugins").glob("*/README.md"))
FENCE = re.compile(r"(?ms)^(?P<fence>```+)(?P<language>\w*)\n(?P<text>.*?)^(?P=fence)$")
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
HOOKS = [name for name in vars(hookspecs) if name.startswith("nanobot_")]
SPECS = [
    made
    for made in vars(specs).values()
    if inspect.isclass(made) and made.__module__ == specs.__name__ and hasattr(made, "__slots__")
] + [EngineSpec]


def _load_generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate = _load_generator()


@dataclass(frozen=True)
class Block:
    """A fenced block of code."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(*languages: str) -> list[Block]:
    found = []
    for page in READ_BY_PEOPLE:
        text = page.read_text()
        for match in FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Block(page, line, match["language"], match["text"]))
    return [block for block in found if block.language in languages]


def section(page: Path, heading: str) -> str:
    """Return the text below a heading, down to the next one of its level."""
    text = page.read_text()
    found = re.search(rf"(?m)^(#+) {re.escape(heading)}$", text)
    assert found, f"{page.name} has no heading {heading!r}"
    rest = text[found.end() :]
    end = re.search(rf"(?m)^#{{1,{len(found[1])}}} ", FENCE.sub(lambda m: " " * len(m[0]), rest))
    return rest[: end.start()] if end else rest


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as they are made by common renderers."""
    headings = re.findall(r"(?m)^#+ (.+)$", FENCE.sub("", page.read_text()))
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


# --- what follows from the code is what the code says ---------------------------------------------


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda p: p.name)
def test_generated_parts_are_current(page: Path) -> None:
    text = page.read_text()
    assert generate.fill(text) == text, "run: python docs/generate.py"


def test_generated_parts_are_found() -> None:
    marks = re.findall(r"<!-- generated: (.+?) -->", "".join(p.read_text() for p in READ_BY_PEOPLE))
    assert {mark.split()[0] for mark in marks} == set(generate.GENERATORS)


# --- complete ------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented(hook: str) -> None:
    text = section(DOCS / "plugins" / "hooks.md", hook)
    assert "**Called**" in text and "**Returns**" in text
    assert re.search(rf"```python\n[^`]*def {hook}\(", text), f"{hook} has no example"


def test_every_spec_is_known() -> None:
    assert {made.__name__ for made in SPECS} >= {"Spec", "ToolSpec", "ProviderSpec", "KindSpec"}


@pytest.mark.parametrize("made", SPECS, ids=lambda made: made.__name__)
def test_every_field_of_every_spec_is_documented(made: Any) -> None:
    text = section(DOCS / "plugins" / "specs.md", made.__name__)
    for field in fields(made):
        row = re.search(rf"(?m)^\| `{field.name}` \|.*\| (.+) \|$", text)
        assert row and row[1].strip(), f"{made.__name__}.{field.name} has no meaning"


def _core_keys(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, str]]:
    """Yield the heading and key of every setting, read from the models themselves."""
    for name, field in model.model_fields.items():
        key = field.alias or name
        path = f"{above}.{key}" if above else key
        inner = re.search(r"dict\[str, .*?(\w+)\]", str(field.annotation))
        models = [m for m in _models(field.annotation) if m is not model]
        if not models:
            yield above, key
        elif "fallbackModels" in path:
            yield above, key
            for found in models:
                yield from ((f"Entries of {path}", k) for _, k in _core_keys(found, path))
        else:
            for found in models:
                yield from _core_keys(found, f"{path}.NAME" if inner else path)


def _models(annotation: Any) -> list[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return [annotation]
    arguments = getattr(annotation, "__args__", ())
    return [model for argument in arguments for model in _models(argument)]


def test_every_key_of_the_core_is_documented() -> None:
    keys = list(_core_keys(CoreSettings))
    assert len(keys) > 45
    for heading, key in keys:
        text = section(DOCS / "config.md", heading)
        assert re.search(rf"(?m)^\| `{key}`(?: †)? \|", text), f"{heading}.{key}"


def test_keys_without_effect_are_marked_and_no_others() -> None:
    """A key that no code reads does nothing, and the page must say so."""
    read = set()
    for path in _sources():
        tree = ast.walk(ast.parse(path.read_text()))
        read |= {node.attr for node in tree if isinstance(node, ast.Attribute)}
        strings = {text for text in _strings(path) if text.isidentifier()}
        # The core knows settings by attribute; a plugin looks them up in the file, in camelCase.
        read |= {_snake(text) for text in strings} if "plugins" in path.parts else strings
    unread: dict[str, set[str]] = {}
    for heading, key in _core_keys(CoreSettings):
        if _snake(key) not in read:
            unread.setdefault(heading, set()).add(key)
    assert unread == generate.UNUSED


def _sources() -> list[Path]:
    """Return the modules that may read a key of the core: its own, its parts', the gateway's."""
    project = tomllib.loads((ROOT / "nanobot-core" / "pyproject.toml").read_text())["project"]
    parts = [re.match(r"[\w-]+", line) for line in project["dependencies"]]
    names = [part[0] for part in parts if part] + ["nanobot-gateway"]
    folders = [ROOT / "nanobot-core", *(ROOT / "plugins" / name for name in names)]
    found = [path for folder in folders for path in (folder / "src").rglob("*.py")]
    return [path for path in found if path.name not in ("schema.py", "shapes.py", "known.py")]


def _strings(path: Path) -> set[str]:
    tree = ast.walk(ast.parse(path.read_text()))
    return {
        node.value
        for node in tree
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: "_" + found[1].lower(), name)


def _commands() -> list[tuple[str, click.Command]]:
    return [
        pair
        for name, command in sorted(generate.commands().items())
        for pair in generate.walk(command, name)
    ]


@pytest.mark.parametrize(("name", "command"), _commands(), ids=[name for name, _ in _commands()])
def test_every_command_and_option_is_documented(name: str, command: click.Command) -> None:
    text = section(DOCS / "cli.md", f"nanobot {name}")
    for parameter in command.params:
        shown = [*parameter.opts, *parameter.secondary_opts]
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert all(re.search(rf"(?<![\w-]){re.escape(o)}(?![\w-])", text) for o in shown), shown


def test_every_readme_of_a_plugin_is_listed() -> None:
    page = DOCS / "plugins" / "directory.md"
    linked = {(page.parent / target).resolve() for target in LINK.findall(page.read_text())}
    assert linked == {path.resolve() for path in (ROOT / "plugins").glob("*/README.md")}


def test_no_generated_field_is_left_unexplained() -> None:
    for page in READ_BY_PEOPLE:
        for block in generate.BLOCK.finditer(page.read_text()):
            blank = [line for line in block[0].splitlines() if re.match(r"\| `.*\|\s*\|$", line)]
            assert not blank, block[1]


def test_every_page_is_on_the_map() -> None:
    page = DOCS / "README.md"
    linked = {(DOCS / target).resolve() for target in LINK.findall(page.read_text())}
    pages = {path for path in DOCS.rglob("*.md") if not {"decisions", "examples"} & set(path.parts)}
    assert pages - {page} <= linked


# --- correct -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page", [*READ_BY_PEOPLE, *READMES], ids=lambda p: f"{p.parent.name}/{p.name}"
)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(FENCE.sub("", page.read_text())):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), f"{target}: there is no such file"
        assert not anchor or anchor in anchors(path), f"{target}: there is no such heading"


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_compiles(block: Block) -> None:
    compile(block.text, str(block), "exec")


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_parses(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_toml_parses(block: Block) -> None:
    tomllib.loads(block.text)


def test_configuration_examples_are_valid(tmp_path: Path) -> None:
    """Every JSON example of a page for users is a configuration without a fault."""
    from nanobot._config import build
    from nanobot._config.document import Document

    environ = {"ANTHROPIC_API_KEY": "any", "ACME_API_KEY": "any"}
    found = [block for block in blocks("json") if "core" not in block.page.parts]
    assert len(found) > 5
    for block in found:
        document = Document(path=tmp_path / "config.json", data=json.loads(block.text))
        config = build(document, environ=environ)
        assert not config.findings, f"{block}: {config.findings}"


def _typed() -> Iterator[tuple[Block, list[str]]]:
    """Yield every nanobot command that a page tells the reader to type."""
    for block in blocks("console"):
        for line in block.text.splitlines():
            for part in re.split(r"[|>]| && ", line.removeprefix("$ ")):
                yield from _words(block, part)
    for page in (*READ_BY_PEOPLE, *READMES):
        text = FENCE.sub(lambda found: "\n" * found[0].count("\n"), page.read_text())
        for match in re.finditer(r"`((?:[A-Z_]+=\S+ )*nanobot [^`]+)`", text):
            line = text.count("\n", 0, match.start()) + 1
            yield from _words(Block(page, line, "", ""), match[1])


def _words(block: Block, text: str) -> Iterator[tuple[Block, list[str]]]:
    words = shlex.split(text)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    if words and words[0].rpartition("/")[2] == "nanobot":
        yield block, words[1:]


TYPED = [(block, words) for block, words in _typed() if words != ["NAME"]]


def test_enough_commands_are_found() -> None:
    assert len(TYPED) > 60


@pytest.mark.parametrize(
    ("block", "words"), TYPED, ids=[f"{block}:{'_'.join(words)}" for block, words in TYPED]
)
def test_commands_exist(block: Block, words: list[str]) -> None:
    """Each command is parsed by click; nothing is run."""
    known: dict[str, click.Command] = generate.commands()
    if words[0] in ("--version", "--help", "-v", "-h"):
        assert cli.params and len(words) == 1
        return
    command = known[words[0]]
    arguments = words[1:]
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        assert arguments[0] in command.commands, f"{block}: nanobot {' '.join(words)}"
        command = command.commands[arguments.pop(0)]
    if isinstance(command, click.Group) or not arguments:
        return
    arguments = [word for word in arguments if word != "..."]
    group = click.Context(cli, help_option_names=["-h", "--help"])
    command.make_context("nanobot", arguments, parent=group)


def _hook_examples() -> list[Block]:
    return [
        block
        for block in blocks("python")
        if block.page.name in ("hooks.md", "kinds.md", "providers.md", "specs.md")
        and "@hookimpl" in block.text
    ]


@pytest.mark.parametrize("block", _hook_examples(), ids=str)
def test_examples_of_hooks_can_be_registered(block: Block) -> None:
    """Each example is a plugin module whose hooks exist and return specs of their kind."""
    module = ModuleType("example")
    sys.modules["example"] = module
    exec(compile(block.text, str(block), "exec"), vars(module))
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(module)
    if not hasattr(module, "nanobot_translation"):
        manager.check_pending()
    for hook in HOOKS:
        function = getattr(module, hook, None)
        if function is None or hook == "nanobot_resolve_secret":
            continue
        if hook == "nanobot_route_model":
            assert function(RouteRequest(model="qwen:latest", candidates={})) is None
            continue
        if hook == "nanobot_advice":
            request = AdviceRequest(document={"tools": {"exec": {}}}, installed={}, specs={})
            assert list(function(request=request))
            continue
        expected = re.search(r"Iterable\[(\w+)\]", str(getattr(hookspecs, hook).__annotations__))
        assert expected
        offered = list(function())
        assert offered and all(type(spec).__name__ == expected[1] for spec in offered)


def _factory_examples() -> list[Block]:
    """Return the examples of factories that stand alone."""
    own = re.compile(r"(?m)^from nanobot_")
    return [
        b
        for b in blocks("python")
        if "async def open_" in b.text and "@async" in b.text and not own.search(b.text)
    ]


@pytest.mark.parametrize("block", _factory_examples(), ids=str)
def test_examples_of_factories_open_what_they_say(block: Block, tmp_path: Path) -> None:
    """Each example opens an object that has the methods of its protocol."""
    module: dict[str, Any] = {}
    exec(compile(block.text, str(block), "exec"), module)
    name = next(name for name in module if name.startswith("open_"))
    promised = re.search(r"AsyncIterator\[(\w+)\]", str(module[name].__wrapped__.__annotations__))
    assert promised
    protocol = module[promised[1]]
    spec = specs.Spec(name="example", factory="example:open")

    async def check() -> None:
        context = make_context(spec, tmp_path)
        async with module[name](spec.config(), context) as opened:
            wanted = [name for name in vars(protocol) if not name.startswith("_")]
            assert wanted and all(callable(getattr(opened, method)) for method in wanted)

    run(check())


def test_the_example_of_a_secret_store_keeps_to_its_scheme() -> None:
    block = next(b for b in _hook_examples() if "def nanobot_resolve_secret" in b.text)
    module: dict[str, Any] = {}
    exec(compile(block.text, str(block), "exec"), module)
    assert module["nanobot_resolve_secret"]("https", "//example.org") is None


# --- style ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page",
    READ_BY_PEOPLE,
    ids=lambda p: f"{p.parent.name}/{p.name}",
)
def test_pages_have_one_title_and_lines_of_bounded_length(page: Path) -> None:
    text = FENCE.sub("", page.read_text())
    assert len(re.findall(r"(?m)^# ", text)) == 1 and text.lstrip().startswith("# ")
    hand_written = generate.BLOCK.sub("", page.read_text())
    long = [line for line in hand_written.splitlines() if len(line) > 120 and line[:1] != "|"]
    assert not long
