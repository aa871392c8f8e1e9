"""Path patterns, translated to RE2 so that no pattern takes more than linear time."""

from __future__ import annotations

import re
from collections.abc import Callable

from nanobot.errors import ToolError

from nanobot_tool_files.patterns import compile_pattern

TYPES: dict[str, tuple[str, ...]] = {
    "c": ("c", "h"),
    "cpp": ("cpp", "cc", "cxx", "hpp", "hh", "h"),
    "css": ("css", "scss", "sass", "less"),
    "go": ("go",),
    "html": ("html", "htm"),
    "java": ("java",),
    "js": ("js", "jsx", "mjs", "cjs"),
    "json": ("json", "jsonl"),
    "kotlin": ("kt", "kts"),
    "markdown": ("md", "markdown", "mdx"),
    "md": ("md", "markdown", "mdx"),
    "php": ("php",),
    "py": ("py", "pyi"),
    "python": ("py", "pyi"),
    "ruby": ("rb",),
    "rust": ("rs",),
    "sh": ("sh", "bash", "zsh"),
    "sql": ("sql",),
    "swift": ("swift",),
    "toml": ("toml",),
    "ts": ("ts", "tsx", "mts", "cts"),
    "txt": ("txt",),
    "xml": ("xml",),
    "yaml": ("yaml", "yml"),
}
_MAX_PATTERN = 1_000

Matches = Callable[[str], bool]


def path_filter(glob: str, kind: str) -> Matches:
    """Return a test for relative paths.

    Args:
        glob: A pattern, empty for any. Without a slash it is for the name, at any depth.
        kind: A file type or extension, empty for any.

    Raises:
        ToolError: kind ``bad_pattern``.
    """
    by_glob = _glob_filter(glob) if glob else None
    endings = endings_of(kind)

    def matches(path: str) -> bool:
        if endings and not path.lower().endswith(endings):
            return False
        return by_glob is None or by_glob(path)

    return matches


def endings_of(kind: str) -> tuple[str, ...]:
    """Return the endings of the files of a type; empty for any."""
    name = kind.strip().lstrip(".").lower()
    return tuple(f".{ending}" for ending in TYPES.get(name, (name,))) if name else ()


def _glob_filter(glob: str) -> Matches:
    if len(glob) > _MAX_PATTERN:
        raise _refuse(glob, f"is longer than {_MAX_PATTERN} characters")
    plain = glob.removeprefix("./").lstrip("/")
    if ".." in plain.split("/"):
        raise _refuse(glob, "must not hold '..'; name the folder in path instead")
    anywhere = "/" not in plain.rstrip("/")
    body = _translate(glob, plain.rstrip("/"))
    prefix = "(?:.*/)?" if anywhere else ""
    pattern = compile_pattern(rf"(?s)\A{prefix}{body}\z", whole_text=True)
    return lambda path: pattern.search(path.encode(errors="replace")) is not None


def _translate(glob: str, text: str) -> str:
    """Turn a glob into a regular expression over a path with slashes."""
    out: list[str] = []
    braces = 0
    at = 0
    while at < len(text):
        sign = text[at]
        at += 1
        if sign == "*":
            stars = at
            while at < len(text) and text[at] == "*":
                at += 1
            whole = stars - 1 == 0 or text[stars - 2] == "/"
            if at == stars:
                out.append("[^/]*")
            elif whole and text.startswith("/", at):
                out.append("(?:.*/)?")
                at += 1
            else:
                out.append(".*")
        elif sign == "?":
            out.append("[^/]")
        elif sign == "[" and (found := re.match(r"(!?)(\]?[^\]/]*)\]", text[at:])):
            signs = re.sub(r"[\\\[\]^]", r"\\\g<0>", found[2])
            out.append(f"[^/{signs}]" if found[1] else f"[{signs}]")
            at += found.end()
        elif sign == "{" and "}" in text[at:]:
            braces += 1
            out.append("(?:")
        elif sign == "}" and braces:
            braces -= 1
            out.append(")")
        elif sign == "," and braces:
            out.append("|")
        else:
            out.append(re.escape(sign))
    if braces:
        raise _refuse(glob, "has a '{' that is not closed")
    return "".join(out)


def _refuse(glob: str, why: str) -> ToolError:
    return ToolError(f"the pattern '{glob[:100]}' {why}.", kind="bad_pattern")
