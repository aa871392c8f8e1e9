"""The contract of tools."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import pytest
from nanobot.errors import ToolError
from nanobot.messages import ToolResult, Turn
from nanobot.specs import ToolDefinition, ToolSpec
from nanobot.tool import Tool, ToolRequest

from nanobot_testing.contracts.base import PluginContract
from nanobot_testing.host import make_turn, open_spec, run

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_TYPES = {"object", "array", "string", "integer", "number", "boolean", "null"}


def _tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _check_schema(schema: object, where: str) -> None:
    assert isinstance(schema, Mapping), f"{where} must be a JSON Schema object"
    kind = schema.get("type")
    for one in kind if isinstance(kind, list) else [kind]:
        assert one is None or one in _TYPES, f"{where}: unknown type {one!r}"
    properties = schema.get("properties", {})
    assert isinstance(properties, Mapping)
    for name, part in properties.items():
        _check_schema(part, f"{where}.{name}")
    required = schema.get("required", ())
    assert isinstance(required, list | tuple)
    for name in required:
        assert name in properties, f"{where}: required {name!r} is no property"
    if "items" in schema:
        _check_schema(schema["items"], f"{where}[]")


class ToolContract(PluginContract):
    """Promises of a tool plugin.

    Attributes:
        examples: For each tool at least one call's arguments that works in the folder which
            `prepare` filled.
    """

    examples: ClassVar[Mapping[str, Sequence[Mapping[str, object]]]] = {}

    def prepare(self, folder: Path) -> None:
        """Fill the workspace with what the examples need."""

    @pytest.fixture
    def workspace(self, tmp_path: Path) -> Path:
        folder = tmp_path / "workspace"
        folder.mkdir()
        self.prepare(folder)
        return folder

    def _calls(self) -> list[tuple[str, Mapping[str, object]]]:
        return [(name, args) for name, calls in self.examples.items() for args in calls]

    async def _call(
        self, tool: Tool, name: str, args: Mapping[str, object], turn: Turn
    ) -> ToolResult:
        try:
            result = await tool.call(ToolRequest(name=name, arguments=args, call_id="c1"), turn)
        except ToolError as error:
            return ToolResult.error(error.kind, error.message, retryable=error.retryable)
        assert isinstance(result, ToolResult), f"{name} must return a ToolResult"
        return result

    def test_definitions_are_fit_for_models(self, spec: ToolSpec) -> None:
        names = [definition.name for definition in spec.tools]
        assert len(names) == len(set(names)), "tool names must be unique"
        for definition in spec.tools:
            assert _NAME.fullmatch(definition.name), f"{definition.name!r}: a-z, 0-9, _ and - only"
            assert len(definition.description) >= 10, f"{definition.name} needs a description"
            assert definition.parameters.get("type") == "object"
            _check_schema(definition.parameters, definition.name)
            assert definition.deadline_s > 0

    def test_every_tool_has_an_example(self, spec: ToolSpec) -> None:
        missing = {definition.name for definition in spec.tools} - set(self.examples)
        assert not missing, f"add a call of {sorted(missing)} to `examples`"

    def test_examples_work(self, spec: ToolSpec, workspace: Path, tmp_path: Path) -> None:
        async def check() -> None:
            async with open_spec(spec, self.config, tmp_path, plugin=self.plugin) as tool:
                for name, args in self._calls():
                    result = await self._call(tool, name, args, make_turn(workspace))
                    assert not result.is_error, f"{name}({args}): {result.kind}: {result.text}"

        run(check())

    def test_read_only_tools_change_nothing(
        self, spec: ToolSpec, workspace: Path, tmp_path: Path
    ) -> None:
        effects: dict[str, ToolDefinition] = {d.name: d for d in spec.tools}

        async def check() -> None:
            async with open_spec(spec, self.config, tmp_path, plugin=self.plugin) as tool:
                for name, args in self._calls():
                    if name in effects and effects[name].effects.read_only:
                        before = _tree(workspace)
                        await self._call(tool, name, args, make_turn(workspace))
                        assert _tree(workspace) == before, f"{name} claims read_only but wrote"

        run(check())

    def test_wrong_arguments_are_an_error_for_the_model(
        self, spec: ToolSpec, workspace: Path, tmp_path: Path
    ) -> None:
        """A value of the right type may still be nonsense: an empty text, a NUL, a huge number."""
        nonsense: dict[str, list[str | int]] = {
            "string": ["", "\x00", "\ud800", "x" * 70_000],
            "integer": [-1, 2**63],
        }

        async def check() -> None:
            async with open_spec(spec, self.config, tmp_path, plugin=self.plugin) as tool:
                for name, args in self._calls():
                    definition = next(d for d in spec.tools if d.name == name)
                    properties = definition.parameters["properties"]
                    assert isinstance(properties, Mapping)
                    for key, schema in properties.items():
                        for value in nonsense.get(str(schema.get("type")), []):
                            changed = {**args, key: value}
                            async with asyncio.timeout(10):
                                await self._call(tool, name, changed, make_turn(workspace))

        run(check(), seconds=120)

    def test_unknown_tool_is_refused(self, spec: ToolSpec, workspace: Path, tmp_path: Path) -> None:
        async def check() -> None:
            async with open_spec(spec, self.config, tmp_path, plugin=self.plugin) as tool:
                result = await self._call(tool, "no_such_tool", {}, make_turn(workspace))
                assert result.is_error

        run(check())

    def test_turns_do_not_mix(self, spec: ToolSpec, tmp_path: Path) -> None:
        """Two users call at the same time; neither touches the other's workspace."""
        folders = {user: tmp_path / user for user in ("alice", "bob")}
        for folder in folders.values():
            folder.mkdir()
            self.prepare(folder)
        marks = {user: f"only-{user}.txt" for user in folders}
        for user, folder in folders.items():
            (folder / marks[user]).write_text(f"mark of {user}")

        async def check() -> None:
            async with open_spec(spec, self.config, tmp_path, plugin=self.plugin) as tool:
                for name, args in self._calls():
                    results = await asyncio.gather(
                        *(
                            self._call(tool, name, args, make_turn(folder, user=user))
                            for user, folder in folders.items()
                        )
                    )
                    for user, result in zip(folders, results, strict=True):
                        other = next(mark for who, mark in marks.items() if who != user)
                        assert other not in result.text

        run(check())
        for user, folder in folders.items():
            assert (folder / marks[user]).read_text() == f"mark of {user}"

    def test_cancel_is_obeyed(self, spec: ToolSpec, workspace: Path, tmp_path: Path) -> None:
        async def check() -> None:
            async with open_spec(spec, self.config, tmp_path, plugin=self.plugin) as tool:
                for name, args in self._calls():
                    call = asyncio.ensure_future(self._call(tool, name, args, make_turn(workspace)))
                    await asyncio.sleep(0)
                    call.cancel()
                    await asyncio.wait([call], timeout=5)
                    assert call.done(), f"{name} ignores cancellation"

        run(check())
