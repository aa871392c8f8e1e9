"""Who is asked, and what authorises that: a key, or a signature."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from nanobot import errors
from nanobot.provider import ModelLister
from nanobot_testing import load_spec, open_spec, run
from nanobot_testing.contracts.provider import KEY, ask, collect
from nanobot_testing.servers.wire import json_reply

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
ACCESS = "AKIDCANARY0123456789"
SECRET = "secret-CANARY-0123456789"


def signature_of(request: Any, port: int, *, region: str) -> str:
    """Compute the signature that a request as it came in must have."""
    names = re.search(r"SignedHeaders=([^,]+)", request.headers["authorization"])
    assert names
    kept = {name: request.headers[name] for name in names[1].split(";") if name != "host"}
    url = f"http://127.0.0.1:{port}{request.path}"
    copy = AWSRequest(method=request.method, url=url, data=request.body, headers=kept)
    copy.context["timestamp"] = request.headers["x-amz-date"]
    signer = SigV4Auth(Credentials(ACCESS, SECRET), "bedrock", region)
    canonical = signer.canonical_request(copy)
    return str(signer.signature(signer.string_to_sign(copy, canonical), copy))


def test_a_key_is_sent_and_kept_out_of_the_environment(talk: Any) -> None:
    async def check(provider: Any, server: Any) -> None:
        server.reply(server.text("ok"))
        await collect(provider.stream(ask(model=MODEL)))
        sent = server.requests[-1]
        assert sent.headers["authorization"] == f"Bearer {KEY}"
        assert sent.path == f"/model/{MODEL.replace(':', '%3A')}/converse-stream"
        assert KEY not in str(dict(os.environ)) and KEY not in repr(provider)

    talk(check)


def test_without_a_key_the_request_is_signed(talk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)

    async def check(provider: Any, server: Any) -> None:
        server.reply(server.text("ok"))
        await collect(provider.stream(ask(model=MODEL)))
        sent = server.requests[-1]
        scope = sent.headers["authorization"]
        assert f"Credential={ACCESS}/" in scope and "/eu-west-1/bedrock/aws4_request" in scope
        wanted = signature_of(sent, server.port, region="eu-west-1")
        assert scope.endswith(f"Signature={wanted}")

    talk(check, config={"apiKey": None, "extraQuery": {"a": "1 2"}})


def test_a_profile_has_a_region_and_credentials(
    talk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text("[profile work]\nregion = ap-southeast-2\n")
    (tmp_path / "credentials").write_text(
        f"[work]\naws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}\n"
        "aws_session_token = session-CANARY\n"
    )

    async def check(provider: Any, server: Any) -> None:
        server.reply(server.text("ok"))
        await collect(provider.stream(ask(model=MODEL)))
        sent = server.requests[-1]
        assert "/ap-southeast-2/bedrock/" in sent.headers["authorization"]
        assert sent.headers["x-amz-security-token"] == "session-CANARY"

    talk(check, config={"apiKey": None, "region": None, "profile": "work"})


def test_without_credentials_nothing_is_sent(talk: Any) -> None:
    async def check(provider: Any, server: Any) -> None:
        for refused in (collect(provider.stream(ask(model=MODEL))), provider.list_models()):
            with pytest.raises(errors.AuthError, match="no AWS credentials") as caught:
                await refused
            assert "providers.bedrock.apiKey" in caught.value.remedy
            assert "aws sts get-caller-identity" in caught.value.remedy
        assert server.requests == []

    talk(check, config={"apiKey": None})


def test_credentials_that_are_refused_say_what_to_do(talk: Any) -> None:
    async def check(provider: Any, server: Any) -> None:
        server.reply(server.failure("auth"))
        with pytest.raises(errors.AuthError) as caught:
            await collect(provider.stream(ask(model=MODEL)))
        assert "AWS_BEARER_TOKEN_BEDROCK" in caught.value.remedy

    talk(check)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({}, "region"),
        ({"profile": "none"}, "providers.bedrock.profile"),
        ({"region": "eu-west-1", "apiBase": "nonsense"}, "providers.bedrock.apiBase"),
        ({"region": "eu-west-1", "proxy": "nonsense-CANARY"}, "providers.bedrock.proxy"),
    ],
)
def test_an_unusable_section_says_what_to_do(
    tmp_path: Path, section: dict[str, Any], words: str
) -> None:
    async def go() -> None:
        spec = load_spec("providers.bedrock")
        async with open_spec(spec, {"apiKey": KEY, **section}, tmp_path):
            pass

    with pytest.raises(errors.ConfigError, match=words) as caught:
        run(go())
    assert caught.value.remedy and "CANARY" not in str(caught.value)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "https://bedrock-runtime.us-east-1.amazonaws.com"),
        ("cn-north-1", "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_the_region_names_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, region: str, host: str
) -> None:
    monkeypatch.setenv("AWS_REGION", region)
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)

    async def go() -> None:
        spec = load_spec("providers.bedrock")
        async with open_spec(spec, {"apiKey": KEY}, tmp_path) as provider:
            assert provider._endpoint.address == host

    run(go())


def test_models_on_demand_and_profiles_are_listed(talk: Any) -> None:
    async def check(provider: Any, server: Any) -> None:
        assert isinstance(provider, ModelLister)
        models = [
            {"modelId": "amazon.nova-pro-v1:0", "inferenceTypesSupported": ["ON_DEMAND"]},
            {"modelId": "only.provisioned", "inferenceTypesSupported": ["PROVISIONED"]},
        ]
        profiles = [{"inferenceProfileId": "us.amazon.nova-pro-v1:0"}]
        server.reply(
            json_reply({"modelSummaries": models}),
            json_reply({"inferenceProfileSummaries": profiles}),
        )
        assert [model.id for model in await provider.list_models()] == [
            "amazon.nova-pro-v1:0",
            "us.amazon.nova-pro-v1:0",
        ]
        assert server.requests[0].path == "/foundation-models?byOutputModality=TEXT"
        assert server.requests[1].path == "/inference-profiles?maxResults=1000"
        for reply in (json_reply([]), json_reply({"modelSummaries": [5]})):
            server.reply(reply)
            with pytest.raises(errors.MalformedAnswer):
                await provider.list_models()
        server.reply(server.failure("auth"))
        with pytest.raises(errors.AuthError):
            await provider.list_models()

    talk(check)
