"""All HTTP of tools has one home: nanobot_egress, which guards it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HELD = ("nanobot-tool-", "nanobot-search-", "nanobot-fetch-", "nanobot-image-", "nanobot-mcp")
FOREIGN = {"aiohttp", "http.client", "httplib2", "pycurl", "requests", "urllib.request", "urllib3"}
CLIENTS = {"AsyncClient", "Client", "AsyncHTTPTransport", "HTTPTransport"}
SHORTCUTS = {"get", "post", "put", "patch", "delete", "head", "options", "request", "stream"}


def names(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """Yield what an import makes available, dotted."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    yield str(node.module)
    yield from (f"{node.module}.{alias.name}" for alias in node.names)


def goes_around(name: str) -> bool:
    """Tell whether an imported name opens connections of its own."""
    top, _, last = name.partition(".")
    if top.startswith("httpx"):
        return last in CLIENTS | SHORTCUTS
    return top.startswith("httpcore") or any(f"{name}.".startswith(f"{one}.") for one in FOREIGN)


def offences(source: str) -> Iterator[str]:
    """Yield what a module does past the network guard."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name in names(node):
                if goes_around(name):
                    yield f"line {node.lineno}: imports {name}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            of_httpx = isinstance(owner, ast.Name) and owner.id in ("httpx", "httpx2")
            if of_httpx and node.func.attr in CLIENTS | SHORTCUTS:
                yield f"line {node.lineno}: calls {ast.unparse(node.func)}"


def test_tools_reach_the_network_through_the_guard_only(plugin: Any) -> None:
    if not plugin.name.startswith(HELD):
        return
    found = [
        f"{path.name}, {offence}"
        for path in sorted(Path(plugin.source).rglob("*.py"))
        for offence in offences(path.read_text())
    ]
    assert not found, f"{plugin.name} must use nanobot_egress: {found}"


def test_the_lint_sees_what_it_must() -> None:
    bad = (
        "import requests",
        "from urllib.request import urlopen",
        "import urllib.request",
        "from aiohttp import ClientSession",
        "import httpx2\nhttpx2.AsyncClient()",
        "import httpx\nasync def f():\n    async with httpx.AsyncClient() as c: ...",
        "from httpx import AsyncClient",
        "import httpx\nhttpx.get('http://x')",
        "import httpcore2",
    )
    good = (
        "import httpx2\ndef f(c: httpx2.AsyncClient) -> httpx2.Response: ...",
        "from urllib.parse import urlsplit",
        "from nanobot_egress import open_vendor_client\nopen_vendor_client('https://x').get('/y')",
    )
    assert [source for source in bad if not list(offences(source))] == []
    assert [source for source in good if list(offences(source))] == []
