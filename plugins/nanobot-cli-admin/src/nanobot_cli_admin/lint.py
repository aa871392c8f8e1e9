"""Advice on settings that are valid and likely to hurt."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from nanobot.findings import Finding
from nanobot_settings.keys import lookup, warning

from nanobot_cli_admin.hosts import is_private

_SECRET = re.compile(r"key|token|secret|passw|credential", re.IGNORECASE)
_LOADER = re.compile(
    r"LD_\w+|DYLD_\w+|GCONV_PATH|BASH_ENV|PYTHON(PATH|STARTUP|HOME)|NODE_OPTIONS|PERL5(LIB|OPT)|"
    r"RUBY(LIB|OPT)|JAVA_TOOL_OPTIONS"
)


def lint(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield advice on the sections of tools in a document."""
    keys = lookup(data, ("tools", "exec", "allowedEnvKeys"))
    for index, name in enumerate(keys if isinstance(keys, list) else ()):
        if isinstance(name, str) and _SECRET.search(name):
            yield warning(
                ("tools", "exec", "allowedEnvKeys", index),
                "hands a variable that looks like a secret to every command the agent runs",
                "remove it unless commands need it",
            )
    networks = lookup(data, ("tools", "ssrfWhitelist"))
    whitelist = networks if isinstance(networks, list) else []
    servers = lookup(data, ("tools", "mcpServers"))
    for name, server in servers.items() if isinstance(servers, dict) else ():
        if isinstance(server, dict):
            yield from _lint_server(("tools", "mcpServers", name), server, whitelist)


def _lint_server(
    path: tuple[str, ...], server: dict[str, Any], whitelist: list[object]
) -> Iterator[Finding]:
    command, url, env = server.get("command"), server.get("url"), server.get("env")
    if command and url:
        yield warning((*path, "command"), "stands beside url", "keep one of the two")
    if isinstance(url, str) and is_private(_host(url), whitelist):
        yield warning(
            (*path, "url"),
            "is an address of this machine or a private network, which tools may not reach",
            "add its network to tools.ssrfWhitelist",
        )
    for name in env if isinstance(env, dict) else ():
        if _LOADER.fullmatch(name):
            message = "decides what code the server's process loads"
            yield warning((*path, "env", name), message, "remove it unless you put it there")


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
