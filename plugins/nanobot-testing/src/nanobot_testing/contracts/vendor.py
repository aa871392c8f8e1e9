"""What is true of every vendor that does one thing over HTTP, with the key of its provider."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from nanobot import errors
from nanobot.config import ProviderConfig
from nanobot.specs import Spec

from nanobot_testing.contracts.base import PluginContract
from nanobot_testing.host import open_spec, run
from nanobot_testing.servers.wire import Act, Reply, Request, ScriptedServer, json_reply

KEY = "sk-test-CANARY-0123456789"
HUGE = Reply(body=[b" " * 2**20] * 80, headers={"content-type": "application/json"})


class VendorServer(ScriptedServer):
    """A scripted server that says when it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()

    def answer(self, request: Request) -> Reply:
        """Choose the answer to a request."""
        self.asked.set()
        return super().answer(request)


Check = Callable[[Any, VendorServer], Awaitable[None]]


class VendorContract(PluginContract):
    """Promises of vendors. Subclass the contract of your kind, not this one."""

    async def work(self, vendor: Any) -> Any:
        """Ask the vendor for what it is there for."""
        pytest.fail("give the contract its work")

    def refusals(self) -> Sequence[Reply]:
        """Return what the vendor's server sends when its policy forbids the request."""
        error = {"message": "Your request was rejected", "code": "content_policy_violation"}
        return [json_reply({"error": error}, status=400)]

    def using(
        self, spec: Spec, folder: Path, check: Check, *, path: str = "", **config: object
    ) -> None:
        """Run a check on the opened vendor and the server that it asks.

        Args:
            path: What ``apiBase`` has behind the server's address.
            config: Keys of the section.
        """

        async def go() -> None:
            async with VendorServer() as server:
                base = server.base_url + path
                section = {"apiKey": KEY, **self.config, "apiBase": base, **config}
                async with open_spec(spec, section, folder, plugin=self.plugin) as vendor:
                    await check(vendor, server)

        run(go())

    def fails(
        self, spec: Spec, folder: Path, expected: type[Exception], *replies: Reply
    ) -> Exception:
        """Return the error that the work ends with when the server sends this."""
        caught: list[Exception] = []

        async def check(vendor: Any, server: VendorServer) -> None:
            server.reply(*replies)
            with pytest.raises(expected) as failure:
                await self.work(vendor)
            assert KEY not in f"{failure.value!s} {failure.value!r} {vendor!r}"
            caught.append(failure.value)

        self.using(spec, folder, check)
        return caught[0]

    def test_configuration_is_described_and_strict(self, spec: Spec) -> None:
        """The section is the provider's of the same name: keys that only that knows are allowed."""
        assert issubclass(spec.config, ProviderConfig)
        assert all(field.description for field in spec.config.model_fields.values())
        spec.config.model_validate({**self.config, "keyOfTheProvider": 1})
        with pytest.raises(ValueError):
            spec.config.model_validate({**self.config, "apiBase": 1})

    def test_credentials_are_those_of_the_provider(self, spec: Spec) -> None:
        head, *rest = spec.name.split("_")
        assert spec.section == f"providers.{head}{''.join(word.capitalize() for word in rest)}"
        assert spec.title

    @pytest.mark.parametrize(
        ("status", "body", "headers", "expected"),
        [
            (401, {"error": {"message": "Incorrect API key"}}, {}, errors.AuthError),
            (402, {"error": {"message": "Insufficient credits"}}, {}, errors.QuotaError),
            (429, {"error": {"message": "slow"}}, {"retry-after": "7"}, errors.RateLimitError),
            (503, {"error": {"message": "busy"}}, {}, errors.OverloadError),
            (400, {"error": {"message": "no such thing"}}, {}, errors.BadRequest),
            (200, {}, {}, errors.MalformedAnswer),
            (200, [], {}, errors.MalformedAnswer),
            (200, "text", {}, errors.MalformedAnswer),
        ],
    )
    def test_failures_are_typed_and_keep_the_key(
        self,
        spec: Spec,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
        capsys: pytest.CaptureFixture[str],
        status: int,
        body: object,
        headers: Mapping[str, str],
        expected: type[errors.ProviderError],
    ) -> None:
        reply = json_reply(body, status=status, **headers)
        with caplog.at_level(logging.DEBUG):
            error = self.fails(spec, tmp_path, expected, reply)
        assert isinstance(error, errors.ProviderError)
        if headers:
            assert error.retry_after == pytest.approx(7, abs=1.5)
        output = capsys.readouterr()
        assert KEY not in caplog.text + output.out + output.err

    @pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"\xff\x00", b""])
    def test_garbage_is_an_error(self, spec: Spec, tmp_path: Path, body: bytes) -> None:
        reply = Reply(body=[body], chunked=False)
        self.fails(spec, tmp_path, errors.MalformedAnswer, reply)

    def test_a_huge_answer_is_not_read_to_its_end(self, spec: Spec, tmp_path: Path) -> None:
        async def check(vendor: Any, server: VendorServer) -> None:
            server.reply(HUGE)
            with pytest.raises(errors.MalformedAnswer):
                await self.work(vendor)
            async with asyncio.timeout(5):
                await server.requests[0].closed.wait()
            assert not server.requests[0].finished

        self.using(spec, tmp_path, check)

    def test_what_the_policy_forbids_is_told_apart(self, spec: Spec, tmp_path: Path) -> None:
        self.fails(spec, tmp_path, errors.ContentFiltered, *self.refusals())

    def test_failures_are_not_repeated(self, spec: Spec, tmp_path: Path) -> None:
        async def check(vendor: Any, server: VendorServer) -> None:
            server.reply(json_reply({"error": {"message": "busy"}}, status=503))
            with pytest.raises(errors.OverloadError):
                await self.work(vendor)
            assert len(server.requests) == 1, "retrying is the host's business"

        self.using(spec, tmp_path, check)

    def test_an_unreachable_server_is_a_transport_error(self, spec: Spec, tmp_path: Path) -> None:
        async def check(vendor: Any, server: VendorServer) -> None:
            with pytest.raises(errors.TransportError):
                await self.work(vendor)

        self.using(spec, tmp_path, check, apiBase="http://127.0.0.1:9")

    def test_cancelling_closes_the_connection(self, spec: Spec, tmp_path: Path) -> None:
        async def check(vendor: Any, server: VendorServer) -> None:
            server.reply(Reply(body=[b"{", Act.HANG]))
            task = asyncio.create_task(self.work(vendor))
            async with asyncio.timeout(5):
                await server.asked.wait()
                task.cancel()
                await asyncio.wait([task])
                await server.requests[0].closed.wait()

        self.using(spec, tmp_path, check)


def sent(request: Request) -> str:
    """Return the body of a request as text, JSON written plainly."""
    try:
        return json.dumps(request.json, ensure_ascii=False)
    except ValueError:
        return request.body.decode("utf-8", "replace")


def carries_the_key(request: Request) -> bool:
    """Tell whether a request carries the test's key, in a header and nowhere else."""
    header = any(KEY in value for value in request.headers.values())
    return header and KEY not in request.path and KEY.encode() not in request.body
