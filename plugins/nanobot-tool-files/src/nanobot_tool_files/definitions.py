"""What models see of the file tools, as data."""

from __future__ import annotations

from collections.abc import Mapping

from nanobot.messages import Effect, Effects, Role
from nanobot.specs import ToolDefinition

Schema = Mapping[str, object]

_READ = Effects(touches=frozenset({Effect.FS_READ}), read_only=True, idempotent=True)
_WRITE = Effects(touches=frozenset({Effect.FS_WRITE}), idempotent=True)
_EDIT = Effects(touches=frozenset({Effect.FS_READ, Effect.FS_WRITE}))


def _of(kind: str, description: str = "", **more: object) -> Schema:
    said = {"description": description} if description else {}
    return {"type": kind, **said, **more}


def _text(description: str = "") -> Schema:
    return _of("string", description)


def _number(description: str = "") -> Schema:
    return _of("integer", description)


def _flag(description: str = "") -> Schema:
    return _of("boolean", description)


def _choice(*values: str, description: str = "") -> Schema:
    return _of("string", description, enum=list(values))


def _object(*required: str, **properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


# Every byte below is sent to a model with every request: what a name says is not said again, and
# the lowest value of a number is checked by the tools. The prompt says where paths start.

_GLOB = _text("*.py, src/**/*.{ts,tsx}")
_TYPE = _text("py, rust, md, or an ending.")

TOOLS = (
    ToolDefinition(
        name="read_file",
        description=(
            "Read a text file as numbered lines ('N| ' is not part of it), an image, or the text "
            "of a notebook, PDF, docx, xlsx or pptx. Long files come in pages; use grep to find "
            "something."
        ),
        parameters=_object(
            "path",
            path=_text(),
            offset=_number("First line, from 1."),
            limit=_number("Default 2000."),
            pages=_text("Of a document: '3', '1-5', a sheet's name."),
            force=_flag("Repeat lines you read before."),
        ),
        effects=_READ,
        role=Role.USER,
        spill=False,
    ),
    ToolDefinition(
        name="write_file",
        description="Create a file, with its folders, or replace all its content.",
        parameters=_object("path", "content", path=_text(), content=_text(), view=_text()),
        effects=_WRITE,
        role=Role.USER,
    ),
    ToolDefinition(
        name="edit_file",
        description=(
            "Replace text in a file. old_text is copied without line numbers and must occur once, "
            "unless you say which or all; empty, it creates the file."
        ),
        parameters=_object(
            "path",
            "old_text",
            "new_text",
            path=_text(),
            old_text=_text(),
            new_text=_text(),
            replace_all=_flag(),
            occurrence=_number("Only this one, from 1."),
            line_hint=_number("Only the nearest to this line."),
            expected_replacements=_number("All, if there are this many."),
            view=_text("The [view ...] you read; refused if changed since."),
        ),
        effects=_EDIT,
        role=Role.USER,
    ),
    ToolDefinition(
        name="apply_patch",
        description=(
            "Change several files, all or none: by a patch ('*** Begin Patch' ... '*** End Patch', "
            "or a unified diff) or by edits."
        ),
        parameters=_object(
            patch=_text(),
            edits=_of(
                "array",
                items=_object(
                    "path",
                    path=_text(),
                    action=_choice(
                        "replace",
                        "add",
                        "delete",
                        "move",
                        description="add creates or appends new_text.",
                    ),
                    old_text=_text("Must occur once."),
                    new_text=_text(),
                    to=_text("New path, to move."),
                    view=_text(),
                ),
            ),
            dry_run=_flag(),
        ),
        effects=_EDIT,
        role=Role.USER,
    ),
    ToolDefinition(
        name="notebook_edit",
        description="Replace, insert or delete one cell of a Jupyter notebook.",
        parameters=_object(
            "path",
            path=_text(),
            cell_index=_number("From 0; default the last; for insert, the end."),
            new_source=_text(),
            cell_type=_choice("code", "markdown", "raw"),
            edit_mode=_choice("replace", "insert", "delete"),
            view=_text(),
        ),
        effects=_EDIT,
        role=Role.USER,
    ),
    ToolDefinition(
        name="list_dir",
        description="List a folder, without .git, node_modules and the like.",
        parameters=_object(
            "path", path=_text(), recursive=_flag(), max_entries=_number("Default 200.")
        ),
        effects=_READ,
        role=Role.USER,
    ),
    ToolDefinition(
        name="find_files",
        description="Find files by name.",
        parameters=_object(
            path=_text(),
            query=_text("Words that are all in the path."),
            glob=_GLOB,
            type=_TYPE,
            include_dirs=_flag(),
            sort=_choice("path", "modified"),
            head_limit=_number("Default 200; 0 = 1000."),
            offset=_number(),
        ),
        effects=_READ,
        role=Role.USER,
    ),
    ToolDefinition(
        name="glob",
        description="Find files whose path fits a pattern, at most 200.",
        parameters=_object("pattern", pattern=_GLOB, path=_text()),
        effects=_READ,
        role=Role.USER,
    ),
    ToolDefinition(
        name="grep",
        description=(
            "Search lines of files by regular expression (RE2: no look-around or "
            "back-references). Skips binary files and, below a folder, files above 2 MB."
        ),
        parameters=_object(
            "pattern",
            pattern=_text(),
            path=_text("File or folder."),
            glob=_GLOB,
            type=_TYPE,
            case_insensitive=_flag(),
            fixed_strings=_flag(),
            output_mode=_choice(
                "files_with_matches", "content", "count", description="content shows lines."
            ),
            context_before=_number(),
            context_after=_number(),
            head_limit=_number("Default 250; 0 = all."),
            offset=_number(),
            max_matches=_number(),  # older names of head_limit
            max_results=_number(),
        ),
        effects=_READ,
        role=Role.USER,
    ),
)
