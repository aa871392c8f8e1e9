"""The contract of search engines, run against a server that answers as the vendor documents."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from nanobot.errors import ToolError
from nanobot.specs import Spec

from nanobot_testing.contracts.base import PluginContract
from nanobot_testing.host import make_context, run
from nanobot_testing.servers.wire import Act, Reply, Request, ScriptedServer

KEY = "key-for-the-test-0123"


@dataclass(frozen=True, kw_only=True)
class Found:
    """A result that the server is to send."""

    title: str
    url: str
    snippet: str = ""


class _Hit(Protocol):
    @property
    def title(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def snippet(self) -> str: ...


PAGES = tuple(
    Found(title=f"Page {n}", url=f"https://example.org/{n}", snippet=f"About {n}.")
    for n in range(1, 13)
)
Work = Callable[[Any, ScriptedServer], Awaitable[None]]


class SearchContract(PluginContract):
    """Promises of a search engine.

    Attributes:
        env_keys: Environment variables that may hold its key.
        needs_key: It can not be asked without one.
        key_header: The header that carries the key, in lower case; empty when none does.
    """

    env_keys: ClassVar[tuple[str, ...]] = ()
    needs_key: ClassVar[bool] = True
    key_header: ClassVar[str] = "authorization"

    @abstractmethod
    def reply(self, results: Sequence[Found]) -> Reply:
        """Return the documented answer with these results."""

    def refusal(self) -> Reply:
        """Return the documented answer to a wrong key."""
        return Reply(status=401, body=[b'{"error": "invalid key"}'], chunked=False)

    def section(self, base_url: str) -> Mapping[str, object]:
        """Return a section of the configuration that points to the server."""
        return {"baseUrl": base_url, **({"apiKey": KEY} if self.key_header else {})}

    # --- running --------------------------------------------------------------------------------

    @pytest.fixture(autouse=True)
    def no_keys_around(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for variable in self.env_keys:
            monkeypatch.delenv(variable, raising=False)
        for variable in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.delenv(variable, raising=False)
            monkeypatch.delenv(variable.upper(), raising=False)

    @asynccontextmanager
    async def _opened(
        self, spec: Spec, folder: Path, section: Mapping[str, object]
    ) -> AsyncIterator[Any]:
        module, _, function = spec.factory.partition(":")
        config = spec.config.model_validate(dict(section))
        context = make_context(spec, folder, plugin=self.plugin)
        async with getattr(import_module(module), function)(config, context) as engine:
            yield engine

    def _with(self, spec: Spec, folder: Path, work: Work) -> None:
        async def go() -> None:
            async with ScriptedServer() as server:
                section = self.section(server.base_url)
                async with self._opened(spec, folder, section) as engine:
                    await work(engine, server)

        run(go())

    def _fails(self, spec: Spec, folder: Path, *replies: Reply) -> tuple[ToolError, list[Request]]:
        """Search once, and return the error with the requests."""
        failed: list[ToolError] = []
        asked: list[Request] = []

        async def work(engine: Any, server: ScriptedServer) -> None:
            server.reply(*replies)
            with pytest.raises(ToolError) as caught:
                await engine.search("a question", count=3)
            failed.append(caught.value)
            asked.extend(server.requests)

        self._with(spec, folder, work)
        assert KEY not in f"{failed[0]} {failed[0]!r}", "an error must not show the key"
        return failed[0], asked

    def _finds(self, spec: Spec, folder: Path, reply: Reply, count: int) -> list[_Hit]:
        found: list[_Hit] = []

        async def work(engine: Any, server: ScriptedServer) -> None:
            server.reply(reply)
            found.extend(await engine.search("a question", count=count))

        self._with(spec, folder, work)
        return found

    # --- what it finds --------------------------------------------------------------------------

    def test_finds(self, spec: Spec, tmp_path: Path) -> None:
        hits = self._finds(spec, tmp_path, self.reply(PAGES[:3]), 5)
        assert [hit.url for hit in hits] == [page.url for page in PAGES[:3]]
        assert [hit.title for hit in hits] == [page.title for page in PAGES[:3]]

    def test_returns_no_more_than_asked_for(self, spec: Spec, tmp_path: Path) -> None:
        assert len(self._finds(spec, tmp_path, self.reply(PAGES), 4)) == 4

    def test_no_results_are_no_error(self, spec: Spec, tmp_path: Path) -> None:
        assert self._finds(spec, tmp_path, self.reply(()), 5) == []

    def test_markup_becomes_text(self, spec: Spec, tmp_path: Path) -> None:
        page = Found(
            title="<b>Fish</b> &amp; chips",
            url="https://example.org/?a=1&b=2",
            snippet="A <strong>good</strong> &quot;meal&quot;",
        )
        (hit,) = self._finds(spec, tmp_path, self.reply([page]), 5)
        assert hit.title == "Fish & chips"
        assert hit.url == "https://example.org/?a=1&b=2"
        assert "<" not in hit.snippet
        assert "&" not in hit.snippet

    def test_only_web_addresses_are_results(self, spec: Spec, tmp_path: Path) -> None:
        bad = [
            Found(title="x", url=url)
            for url in ("javascript:alert(1)", "file:///etc/passwd", "data:text/html,x")
        ]
        hits = self._finds(spec, tmp_path, self.reply([*bad, PAGES[0]]), 5)
        assert [hit.url for hit in hits] == [PAGES[0].url]

    def test_the_query_is_sent_whole(self, spec: Spec, tmp_path: Path) -> None:
        query = 'a&b=c "d" ä漢 +e %41'

        async def work(engine: Any, server: ScriptedServer) -> None:
            server.reply(self.reply(PAGES[:1]))
            await engine.search(query, count=3)
            assert query in _texts(server.requests[0])

        self._with(spec, tmp_path, work)

    # --- its key --------------------------------------------------------------------------------

    def test_the_key_is_sent_in_its_header_only(self, spec: Spec, tmp_path: Path) -> None:
        async def work(engine: Any, server: ScriptedServer) -> None:
            server.reply(self.reply(PAGES[:1]))
            await engine.search("a question", count=3)
            (request,) = server.requests
            assert KEY not in request.path
            assert KEY.encode() not in request.body
            carriers = {name for name, value in request.headers.items() if KEY in value}
            assert carriers == ({self.key_header} if self.key_header else set())

        self._with(spec, tmp_path, work)

    def test_a_wrong_key(self, spec: Spec, tmp_path: Path) -> None:
        if not self.key_header:
            return
        error, asked = self._fails(spec, tmp_path, self.refusal())
        assert error.kind == "unauthorized"
        assert not error.retryable
        assert len(asked) == 1, "a refused key must not be tried again"
        assert spec.name in error.message, "say which section to look at"

    def test_without_a_key(self, spec: Spec, tmp_path: Path) -> None:
        async def go() -> None:
            async with ScriptedServer() as server:
                section = {"baseUrl": server.base_url}
                server.reply(self.reply(PAGES[:1]))
                async with self._opened(spec, tmp_path, section) as engine:
                    if not self.needs_key:
                        assert await engine.search("a question", count=3)
                        return
                    with pytest.raises(ToolError) as caught:
                        await engine.search("a question", count=3)
                assert caught.value.kind == "no_key"
                assert not server.requests

        run(go())

    def test_a_key_of_the_environment(
        self, spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for variable in self.env_keys:
            monkeypatch.setenv(variable, KEY)

            async def go() -> None:
                async with ScriptedServer() as server:
                    server.reply(self.reply(PAGES[:1]))
                    section = {"baseUrl": server.base_url}
                    async with self._opened(spec, tmp_path, section) as engine:
                        await engine.search("a question", count=3)
                    assert KEY in server.requests[0].headers[self.key_header]

            run(go())
            monkeypatch.delenv(variable)

    # --- what goes wrong ------------------------------------------------------------------------

    def test_asked_too_often(self, spec: Spec, tmp_path: Path) -> None:
        late = Reply(status=429, headers={"retry-after": "77"}, body=[b"{}"], chunked=False)
        error, asked = self._fails(spec, tmp_path, late)
        assert error.kind == "rate_limited"
        assert error.retryable
        assert "77 s" in error.message
        assert len(asked) == 1, "a long wait is left to the user"

    def test_a_short_wait_is_kept(self, spec: Spec, tmp_path: Path) -> None:
        soon = Reply(status=429, headers={"retry-after": "0"}, body=[b"{}"], chunked=False)

        async def work(engine: Any, server: ScriptedServer) -> None:
            server.reply(soon, self.reply(PAGES[:1]))
            assert len(await engine.search("a question", count=3)) == 1

        self._with(spec, tmp_path, work)

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (200, b""),
            (200, b"\xff\xfe\x00"),
            (200, b'"text"'),
            (200, b"[" * 100_000),
            (204, b""),
            (302, b""),
            (400, b'{"error": "bad"}'),
            (404, b"<html>not here</html>"),
        ],
    )
    def test_garbage(self, spec: Spec, tmp_path: Path, status: int, body: bytes) -> None:
        answer = Reply(status=status, body=[body], chunked=False)
        error, asked = self._fails(spec, tmp_path, answer)
        assert error.kind == "bad_answer"
        assert len(asked) == 1

    def test_an_endless_answer(self, spec: Spec, tmp_path: Path) -> None:
        answer = Reply(body=[b" " * 1_000_000] * 20)
        error, _ = self._fails(spec, tmp_path, answer)
        assert error.kind == "bad_answer"

    def test_failing_vendor(self, spec: Spec, tmp_path: Path) -> None:
        error, _ = self._fails(spec, tmp_path, Reply(status=503, body=[b"busy"], chunked=False))
        assert error.kind == "unavailable"
        assert error.retryable

    @pytest.mark.parametrize("act", [Act.RESET, Act.CLOSE])
    def test_a_broken_connection(self, spec: Spec, tmp_path: Path, act: Act) -> None:
        error, _ = self._fails(spec, tmp_path, Reply(body=[b"{", act]))
        assert error.kind == "unavailable"
        assert error.retryable

    def test_nobody_there(self, spec: Spec, tmp_path: Path) -> None:
        async def go() -> None:
            async with ScriptedServer() as server:
                section = self.section(server.base_url)
            async with self._opened(spec, tmp_path, section) as engine:
                with pytest.raises(ToolError) as caught:
                    await engine.search("a question", count=3)
                assert caught.value.kind == "unavailable"

        run(go())

    def test_cancel_is_obeyed(self, spec: Spec, tmp_path: Path) -> None:
        async def work(engine: Any, server: ScriptedServer) -> None:
            server.reply(Reply(body=[b" ", Act.HANG]))
            call = asyncio.ensure_future(engine.search("a question", count=3))
            while not server.requests:
                await asyncio.sleep(0.01)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

        self._with(spec, tmp_path, work)


def _texts(request: Request) -> list[str]:
    """Return all values of a request: of its path, query string, form and JSON."""
    parts = urlsplit(request.path)
    found = [unquote(segment) for segment in parts.path.split("/")]
    found += [value for _, value in parse_qsl(parts.query)]
    if "json" in request.headers.get("content-type", ""):
        left = [request.json]
        while left:
            one = left.pop()
            if isinstance(one, str):
                found.append(one)
            elif isinstance(one, Mapping):
                left.extend(one.values())
    else:
        found += [value for _, value in parse_qsl(request.body.decode())]
    return found
