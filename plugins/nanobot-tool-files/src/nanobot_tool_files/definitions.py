"""What models see of the file tools, as data."""

from __future__ import annotations

from collections.abc import Mapping

from nanobot.messages import Effect, Effects, Role
from nanobot.specs import ToolDefinition

Schema = Mapping[str, object]

_READ = Effects(touches=frozenset({Effect.FS_READ}), read_only=True, idempotent=True)
_WRITE = Effects(touches=frozenset({Effect.FS_WRITE}), idempotent=True)
_EDIT = Effects(touches=frozenset({Effect.FS_READ, Effect.FS_WRITE}))


def _text(description: str) -> Schema:
    return {"type": "string", "description": description}


def _number(description: str, *, least: int = 0, most: int | None = None) -> Schema:
    schema: dict[str, object] = {"type": "integer", "description": description, "minimum": least}
    return schema if most is None else {**schema, "maximum": most}


def _flag(description: str) -> Schema:
    return {"type": "boolean", "description": description}


def _choice(description: str, *values: str) -> Schema:
    return {"type": "string", "description": description, "enum": list(values)}


def _object(*required: str, **properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


_PATH = _text("Path of the file: relative to the workspace, absolute, or starting with ~/.")
_FOLDER = _text("Folder to look in. Default: the workspace.")
_GLOB = _text(
    "Keep only matching files, e.g. '*.py' (at any depth), 'src/**/*.ts', '*.{yml,yaml}'."
)
_TYPE = _text("Keep only files of a type: py, js, ts, md, json, rust, go, ... or any extension.")
_OFFSET = _number("Skip this many results, to read on after a shortened answer. Default 0.")

TOOLS = (
    ToolDefinition(
        name="read_file",
        description=(
            "Read a text file or look at an image (png, jpeg, gif, webp). Text comes as numbered "
            "lines, 'N| text'; the number and the bar are not part of the file. Long files come in "
            "pages: go on with offset as the last line says. To find something in a large file use "
            "grep first. A file that has not changed since you last read the same lines is not "
            "repeated unless force is true."
        ),
        parameters=_object(
            "path",
            path=_PATH,
            offset=_number("First line to read, counted from 1. Default 1.", least=1),
            limit=_number("Number of lines to read. Default 2000.", least=1),
            force=_flag("Show the lines even if you read them before and they are unchanged."),
        ),
        effects=_READ,
        role=Role.USER,
        spill=False,
    ),
    ToolDefinition(
        name="write_file",
        description=(
            "Create a file or replace the whole content of one. Missing folders are created. To "
            "change a part of a file use edit_file instead; read a file before you replace it."
        ),
        parameters=_object("path", "content", path=_PATH, content=_text("The whole new content.")),
        effects=_WRITE,
        role=Role.USER,
    ),
    ToolDefinition(
        name="edit_file",
        description=(
            "Replace a piece of a text file. old_text must be copied from the file without the "
            "line numbers of read_file, with enough lines around it to occur only once; otherwise "
            "say which one with occurrence or line_hint, or change all with replace_all. Small "
            "differences in indentation and quotes are tolerated. An empty old_text creates the "
            "file, or fills an empty one."
        ),
        parameters=_object(
            "path",
            "old_text",
            "new_text",
            path=_PATH,
            old_text=_text("The text to replace, as it is in the file."),
            new_text=_text("The text to put in its place; empty to delete."),
            replace_all=_flag("Replace every occurrence."),
            occurrence=_number("Replace only this occurrence, counted from 1.", least=1),
            line_hint=_number("Replace the occurrence nearest to this line number.", least=1),
            expected_replacements=_number(
                "Replace every occurrence, but only if there are exactly this many.", least=1
            ),
        ),
        effects=_EDIT,
        role=Role.USER,
    ),
    ToolDefinition(
        name="list_dir",
        description=(
            "List a folder. Folders end with '/'. Folders of tools and packages (.git, "
            "node_modules, __pycache__, .venv, dist, build, ...) are left out; name one as path to "
            "look inside."
        ),
        parameters=_object(
            "path",
            path=_text("The folder; '.' is the workspace."),
            recursive=_flag("Also list what is in the folders below. Default false."),
            max_entries=_number("Most entries to list. Default 200.", least=1, most=5000),
        ),
        effects=_READ,
        role=Role.USER,
    ),
    ToolDefinition(
        name="find_files",
        description=(
            "Find files by name below a folder. query, glob and type narrow the search and all "
            "must fit. Folders of tools and packages (.git, node_modules, ...) are left out. To "
            "search for what files contain use grep."
        ),
        parameters=_object(
            path=_FOLDER,
            query=_text("Words that must all occur in the path, in any order and case."),
            glob=_GLOB,
            type=_TYPE,
            include_dirs=_flag("Also return folders. Default false."),
            sort=_choice("Order: by path (default), or newest first.", "path", "modified"),
            head_limit=_number("Most results. Default 200; 0 = up to 1000.", most=1000),
            offset=_OFFSET,
        ),
        effects=_READ,
        role=Role.USER,
    ),
    ToolDefinition(
        name="glob",
        description=(
            "Find files whose path fits a pattern: '*.py' finds them at any depth, 'src/**/*.ts' "
            "below src. At most 200 results, sorted by path; find_files can do more."
        ),
        parameters=_object(
            "pattern",
            pattern=_text("The pattern: *, ?, [abc], {one,two}, and ** for any folders."),
            path=_FOLDER,
        ),
        effects=_READ,
        role=Role.USER,
    ),
    ToolDefinition(
        name="grep",
        description=(
            "Search the content of files, line by line, with a regular expression (RE2 syntax: no "
            "look-around, no back-references). Returns the paths of files that match, unless "
            "output_mode asks for lines or counts. Folders of tools and packages (.git, "
            "node_modules, ...), binary files and files above 2 MB are left out; name a file as "
            "path to search a larger one."
        ),
        parameters=_object(
            "pattern",
            pattern=_text("The regular expression, or plain text with fixed_strings."),
            path=_text("File or folder to search. Default: the workspace."),
            glob=_GLOB,
            type=_TYPE,
            case_insensitive=_flag("Ignore upper and lower case. Default false."),
            fixed_strings=_flag("Take the pattern as plain text. Default false."),
            output_mode=_choice(
                "files_with_matches (default): paths. content: matching lines with their numbers. "
                "count: matching lines of each file.",
                "files_with_matches",
                "content",
                "count",
            ),
            context_before=_number("Lines to show before each match (content mode).", most=20),
            context_after=_number("Lines to show after each match (content mode).", most=20),
            head_limit=_number("Most results. Default 250; 0 = no limit but the size.", most=10000),
            offset=_OFFSET,
            max_matches=_number("Older name of head_limit in content mode.", least=1, most=10000),
            max_results=_number("Older name of head_limit in other modes.", least=1, most=10000),
        ),
        effects=_READ,
        role=Role.USER,
    ),
)
