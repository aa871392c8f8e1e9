"""The contract of vendors of the chat dialect: a provider's, and what any server may do to it."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest
from nanobot import errors
from nanobot.messages import AssistantMessage, ToolResult, ToolUse
from nanobot.provider import ModelFinish, ModelLister, ModelRequest
from nanobot.specs import ProviderSpec

from nanobot_testing.contracts.provider import ProviderContract, collect
from nanobot_testing.host import open_spec, run
from nanobot_testing.servers.chat_faults import ARGUMENTS, FAULTS, play, section_of
from nanobot_testing.servers.chat_samples import (
    Sample,
    changes,
    check_answer,
    check_refusal,
    check_request,
    missing,
)
from nanobot_testing.servers.wire import Reply, json_reply

_SAMPLES = {"sent_sample": "requests", "read_sample": "answers", "refused_sample": "refusals"}
STRANGERS = ("iflytek/spark-max", "my-step-by-step-model", "sterling-7b", "acme/pro1-mini", "m")
"""Model ids that contain the names of vendors by chance."""


class ChatVendorContract(ProviderContract):
    """Promises of a vendor that is a record for the chat dialect.

    Attributes:
        samples: File beside the test with samples of the vendor's dialect; see
            `nanobot_testing.servers.chat_samples`.
        named_by: Model ids whose name points to the vendor.
        not_named_by: Model ids whose name does not.
        out_of_credit: Status and body of the vendor's own refusal for want of credit, where the
            common one means something else to it.
    """

    samples: ClassVar[str] = "samples.json"
    named_by: ClassVar[tuple[str, ...]] = ()
    not_named_by: ClassVar[tuple[str, ...]] = ()
    out_of_credit: ClassVar[tuple[int, Mapping[str, object]] | None] = None

    @classmethod
    def _folder(cls) -> Path:
        return Path(inspect.getfile(cls)).parent

    def _with(
        self,
        spec: ProviderSpec,
        folder: Path,
        check: Callable[[Any, Any], Awaitable[None]],
        *,
        config: Mapping[str, object] | None = None,
    ) -> None:
        async def checked(provider: Any, server: Any) -> None:
            if self.out_of_credit:
                server.failure = partial(_failure, server.failure, *self.out_of_credit)
            await check(provider, server)

        super()._with(spec, folder, checked, config=config)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run a test with a sample for each entry of the vendor's file."""
        for fixture, kind in _SAMPLES.items():
            if fixture in metafunc.fixturenames:
                listed = json.loads((self._folder() / self.samples).read_text(encoding="utf-8"))
                entries = listed.get(kind, [])
                metafunc.parametrize(fixture, entries, ids=[entry["name"] for entry in entries])

    def test_the_record_is_whole(self, spec: ProviderSpec) -> None:
        record: Any = spec.options
        assert tuple(record.get("env_keys", ())) == spec.env_keys
        assert record.get("needs_key", True) is spec.needs_key
        assert "OPENAI_API_KEY" not in spec.env_keys, "another vendor's key must not go there"
        if record.get("local"):
            assert spec.probe_url == record["base_url"] and not spec.needs_key
        else:
            assert urlsplit(record["base_url"]).scheme == "https" and spec.env_keys

    def test_the_readme_tells_the_truth(self, spec: ProviderSpec) -> None:
        readme = (self._folder().parent / "README.md").read_text(encoding="utf-8")
        head, *rest = spec.name.split("_")
        section = head + "".join(word.capitalize() for word in rest)
        facts = [str(spec.options["base_url"]), f"providers.{section}", *spec.env_keys]
        facts += [f"`{spec.default_model}`"] if spec.default_model else []
        assert not [fact for fact in facts if fact not in readme]

    def test_whole_tokens_of_a_model_s_name_point_here(self, spec: ProviderSpec) -> None:
        """``spark-max`` has nothing to do with the keyword ``ark``."""
        strangers = (*STRANGERS, *self.not_named_by)
        assert [model for model in self.named_by if not points_to(spec, model)] == []
        assert [model for model in strangers if points_to(spec, model)] == []

    def test_a_missing_key_is_told(self, spec: ProviderSpec, tmp_path: Path) -> None:
        if not spec.needs_key:
            return

        async def go() -> None:
            async with open_spec(spec, {}, tmp_path, plugin=self.plugin) as provider:
                with pytest.raises(errors.AuthError) as caught:
                    await collect(provider.stream(self._ask()))
                assert all(name in caught.value.remedy for name in spec.env_keys)

        run(go())

    def test_models_are_listed(self, spec: ProviderSpec, tmp_path: Path) -> None:
        async def check(provider: Any, server: Any) -> None:
            assert isinstance(provider, ModelLister)
            assert [model.id for model in await provider.list_models()] == ["test-model"]

        self._with(spec, tmp_path, check)

    def test_extras_are_sent(self, spec: ProviderSpec, tmp_path: Path) -> None:
        extras = {
            "extraHeaders": {"X-Team": "blue"},
            "extraQuery": {"a": "1"},
            "extraBody": {"deep": {"x": 1}, "messages": [], "tools": [{"type": "web_search"}]},
        }

        async def check(provider: Any, server: Any) -> None:
            server.reply(server.text("ok"))
            await collect(provider.stream(self._ask()))
            sent = server.requests[-1]
            assert sent.headers["x-team"] == "blue" and sent.path.endswith("?a=1")
            assert sent.headers["user-agent"].startswith("nanobot/"), "no other program's name"
            assert not missing({"deep": {"x": 1}}, sent.json)
            assert sent.json["messages"] and len(sent.json["tools"]) == 2

        self._with(spec, tmp_path, check, config=extras)

    @pytest.mark.parametrize("item", FAULTS)
    def test_a_fault_ends_cleanly_and_the_next_request_works(
        self, spec: ProviderSpec, tmp_path: Path, item: str
    ) -> None:
        fault = FAULTS[item]

        async def check(provider: Any, server: Any) -> None:
            await play(provider, server, fault, self._ask())

        self._with(spec, tmp_path, check, config=section_of(fault))

    @pytest.mark.parametrize("item", ARGUMENTS)
    def test_arguments_are_handed_on_and_never_poison_the_session(
        self, spec: ProviderSpec, tmp_path: Path, item: str
    ) -> None:
        arguments = ARGUMENTS[item]

        async def check(provider: Any, server: Any) -> None:
            server.reply(server.tools(("read_file", arguments), split=5))
            finish = (await collect(provider.stream(self._ask())))[-1]
            assert isinstance(finish, ModelFinish)
            (call,) = finish.tool_calls
            assert call.arguments == (arguments or "{}"), "the host judges them, not the provider"
            use = ToolUse(call=call, result=ToolResult.error("bad_arguments", "no"))
            history = (*self._ask().messages, AssistantMessage(tool_uses=(use,)))
            server.reply(server.text("ok"))
            await collect(provider.stream(self._ask(messages=history)))
            sent = server.requests[-1].json["messages"]
            (back,) = [call for message in sent for call in message.get("tool_calls") or ()]
            assert isinstance(json.loads(back["function"]["arguments"]), dict)

        self._with(spec, tmp_path, check)

    def test_requests_are_those_of_the_samples(
        self, spec: ProviderSpec, tmp_path: Path, sent_sample: Sample
    ) -> None:
        async def check(provider: Any, server: Any) -> None:
            await check_request(provider, server, sent_sample, self._of(sent_sample))

        self._with(spec, tmp_path, check)

    def test_answers_are_read_as_in_the_samples(
        self, spec: ProviderSpec, tmp_path: Path, read_sample: Sample
    ) -> None:
        async def check(provider: Any, server: Any) -> None:
            await check_answer(provider, server, read_sample, self._of(read_sample))

        self._with(spec, tmp_path, check)

    def test_refusals_are_typed_as_in_the_samples(
        self, spec: ProviderSpec, tmp_path: Path, refused_sample: Sample
    ) -> None:
        async def check(provider: Any, server: Any) -> None:
            await check_refusal(provider, server, refused_sample, self._of(refused_sample))

        self._with(spec, tmp_path, check)

    def _of(self, sample: Sample) -> ModelRequest:
        return self._ask(**changes(sample))


def _failure(
    common: Callable[..., Reply], status: int, body: Mapping[str, object], case: str, **more: Any
) -> Reply:
    return json_reply(body, status=status) if case == "quota" else common(case, **more)


def points_to(spec: ProviderSpec, model: str) -> bool:
    """Tell whether the name of a model points to a vendor, as the router reads its keywords."""
    tokens = set(re.split(r"[^a-z0-9]+", model.lower()))
    wanted = (set(re.split(r"[^a-z0-9]+", keyword.lower())) for keyword in spec.keywords)
    return any(words <= tokens for words in wanted)
