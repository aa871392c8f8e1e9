"""Recognise a few commands that are nearly always a mistake.

These are hints to a model that is about to do damage by accident. They are no boundary: a shell
has endless ways to say the same thing.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

_PREFIXES = frozenset({"!", "{", "do", "else", "if", "then", "time", "until", "while"}) | frozenset(
    {"builtin", "command", "doas", "env", "exec", "ionice", "nice", "nohup", "setsid", "stdbuf"}
    | {"sudo", "timeout", "xargs"}
)
_SHELLS = frozenset({"ash", "bash", "dash", "ksh", "sh", "zsh"})
_HALTS = frozenset({"halt", "poweroff", "reboot", "shutdown"})
_FORMATTERS = frozenset({"diskpart", "mke2fs", "mkswap", "wipefs"})
_ASSIGNMENT = re.compile(r"\w+=")
_EVERYTHING = re.compile(
    r"(?:/+|~|\$HOME|\$\{HOME\}|/(?:bin|boot|dev|etc|home|lib\w{0,4}|opt|proc|root|sbin|srv|sys|"
    r"usr|var))/*\*?"
)
_DISK = re.compile(r"/dev/(?:[hsv]d[a-z]|xvd[a-z]|nvme\d|mmcblk\d|disk|mapper/|md\d|dm-)")
_HARMLESS = re.compile(r"/dev/(?:null|zero|full|u?random|std(?:in|out|err)|tty|ptmx|fd/\d+|shm/.*)")
_UNKNOWN = re.compile(r"[$`*?\[]|^~[^/]")
_FORK_BOMB = re.compile(r"([\w.:]{1,64})\(\)\{\1\|\1&\};?\1")


def danger(command: str) -> str:
    """Return what is dangerous about a command, in words; empty when nothing is recognised."""
    if _FORK_BOMB.search(re.sub(r"\s+", "", command)):
        return "it is a fork bomb"
    for words, written in _simple_commands(command):
        if any(_DISK.match(target) for target in written):
            return "it overwrites a disk"
        starts = range(len(words)) if words and words[0] in _PREFIXES else range(1)
        for start in starts:
            if reason := _danger_of(words[start:]):
                return reason
    return ""


def written_outside(command: str, *, cwd: Path, home: Path, writable: Sequence[Path]) -> str:
    """Return the first file outside that a command's text redirects to; empty when there is none.

    Args:
        cwd: Where the command starts.
        home: What ``~`` stands for.
        writable: What is inside.
    """
    inside = [path.resolve() for path in writable]
    for _, written in _simple_commands(command):
        for target in written:
            if _UNKNOWN.search(target) or _HARMLESS.fullmatch(target):
                continue
            path = re.sub(r"^~(?=/|$)", lambda _: str(home), target)
            found = (cwd / path).resolve()
            if not any(found.is_relative_to(root) for root in inside):
                return target
    return ""


def _simple_commands(command: str) -> Iterator[tuple[list[str], list[str]]]:
    """Yield each simple command's words, and the files that it redirects to."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars="();<>|&\n")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    written: list[str] = []
    redirect = ""
    here_document = False
    try:
        for token in lexer:
            if set(token) <= set("<>&") and set(token) & set("<>"):
                redirect = token
                here_document = here_document or token == "<<"  # noqa: S105 - a shell's sign
            elif set(token) <= set("();<>|&\n"):
                yield words, written
                words, written, redirect = [], [], ""
                if here_document and "\n" in token:
                    return  # what follows is text
            elif redirect:
                if ">" in redirect:
                    written.append(token)
                redirect = ""
            elif words or not _ASSIGNMENT.match(token):
                words.append(token)
    except ValueError:
        return  # quotes do not match: the shell will say so
    yield words, written


def _danger_of(words: list[str]) -> str:
    if not words:
        return ""
    name, arguments = PurePosixPath(words[0]).name, words[1:]
    if name in _SHELLS and "-c" in arguments[:-1]:
        return danger(arguments[arguments.index("-c") + 1])
    if name == "rm" and _is_recursive(arguments):
        if any(_EVERYTHING.fullmatch(argument) for argument in arguments):
            return "it deletes the whole system or home folder"
    elif name in _FORMATTERS or name.startswith("mkfs"):
        return "it formats a disk"
    elif name == "dd" and any(_DISK.match(a.removeprefix("of=")) for a in arguments if "of=" in a):
        return "it overwrites a disk"
    elif name in _HALTS or (name == "systemctl" and _HALTS & set(arguments)):
        return "it stops the machine"
    elif name == "kill" and arguments[-1:] == ["-1"] and len(arguments) > 1:
        return "it kills every process of this user"
    elif name in {"pkill", "killall"} and any("nanobot" in argument for argument in arguments):
        return "it kills nanobot"
    return ""


def _is_recursive(arguments: list[str]) -> bool:
    return any(
        argument == "--recursive" or re.fullmatch(r"-[a-zA-Z]*[rR][a-zA-Z]*", argument)
        for argument in arguments
    )
