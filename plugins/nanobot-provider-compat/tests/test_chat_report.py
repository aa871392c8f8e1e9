"""Error answers."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from nanobot import errors
from nanobot_provider_compat.failure import Failures, shown
from nanobot_provider_compat.vendor import Vendor

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def refuse(fail: Failures, status: int, body: object = b"", **headers: str) -> errors.ProviderError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return fail.of_answer(status, sent, raw, NOW)


def error(message: str = "", **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, error("Incorrect API key provided"), errors.AuthError),
        (403, b"", errors.AuthError),
        (
            400,
            [error("API key not valid", details=[{"reason": "API_KEY_INVALID"}])],
            errors.AuthError,
        ),
        (402, error("Insufficient Balance"), errors.QuotaError),
        (429, error("x", code="insufficient_quota"), errors.QuotaError),
        (429, error("x", type="billing_hard_limit_reached"), errors.QuotaError),
        (429, error("You exceeded your current quota, please check"), errors.QuotaError),
        (400, {"code": "Arrearage", "message": "Access denied"}, errors.QuotaError),
        (429, error("quota exceeded", code="rate_limit_exceeded"), errors.RateLimitError),
        (429, error("who knows"), errors.RateLimitError),
        (429, error("quota exceeded", type="engine_overloaded_error"), errors.OverloadError),
        (403, error("x", metadata={"flagged_input": "..."}), errors.ContentFiltered),
        (403, error("x", metadata={"provider_name": "y"}), errors.AuthError),
        (451, error("blocked"), errors.ContentFiltered),
        (400, error("Your request exceeded model token limit: 9"), errors.ContextOverflow),
        (429, b"", errors.RateLimitError),
        (408, b"", errors.ProviderTimeout),
        (504, b"<html>504</html>", errors.ProviderTimeout),
        (409, b"", errors.OverloadError),
        (500, error("boom"), errors.OverloadError),
        (502, b"<html><body>Bad gateway</body></html>", errors.OverloadError),
        (503, error("maximum context length service down"), errors.OverloadError),
        (529, error("Overloaded", type="overloaded_error"), errors.OverloadError),
        (400, error("x", code="context_length_exceeded"), errors.ContextOverflow),
        (413, b"", errors.ContextOverflow),
        (
            400,
            error("This model's maximum context length is 8192 tokens."),
            errors.ContextOverflow,
        ),
        (400, error("prompt is too long: 9 tokens > 8 maximum"), errors.ContextOverflow),
        (400, error("The input token count (9) exceeds the maximum"), errors.ContextOverflow),
        (
            400,
            {
                "object": "error",
                "message": "Please reduce the length of the messages.",
                "code": 400,
            },
            errors.ContextOverflow,
        ),
        (400, error("x", type="exceed_context_size_error"), errors.ContextOverflow),
        (500, error("the request exceeds the available context size"), errors.ContextOverflow),
        (400, error("Range of input length should be [1, 9]"), errors.ContextOverflow),
        (400, error("unknown field context_size"), errors.BadRequest),
        (400, error("x", code="content_filter"), errors.ContentFiltered),
        (400, {"code": "DataInspectionFailed", "message": "x"}, errors.ContentFiltered),
        (
            400,
            error("x", innererror={"code": "ResponsibleAIPolicyViolation"}),
            errors.ContentFiltered,
        ),
        (400, error("500 429 connection timeout overloaded rate limit"), errors.BadRequest),
        (400, error("insufficient quota of commas"), errors.BadRequest),
        (422, {"detail": [{"loc": ["body"], "msg": "field required"}]}, errors.BadRequest),
        (404, error("model not found"), errors.BadRequest),
        (301, b"", errors.BadRequest),
        (418, b"\xff\xfe", errors.BadRequest),
        (400, b"[" * 100_000, errors.BadRequest),
    ],
)
def test_classes(
    fail: Failures, status: int, body: object, expected: type[errors.ProviderError]
) -> None:
    made = refuse(fail, status, body)
    assert type(made) is expected
    assert made.status == status and made.provider == "acme" and made.model == "acme-1"
    assert made.remedy
    assert "acme" in made.message and str(status) in made.message


def test_a_vendor_s_own_codes_come_first(fail: Failures) -> None:
    vendor = Vendor(
        error_codes={"1113": "quota", "1261": "context", "1301": "filtered", "bad": "malformed"}
    )
    own = replace(fail, vendor=vendor)
    assert type(refuse(own, 429, error("余额不足", code="1113"))) is errors.QuotaError
    assert type(refuse(own, 400, error("太长", code="1261"))) is errors.ContextOverflow
    assert type(refuse(own, 400, error("x", code="bad"))) is errors.MalformedAnswer
    answer = own.of_payload({"base_resp": {"status_code": 1301}}, NOW)
    assert type(answer) is errors.ContentFiltered


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"retry_after": "7"}, b"", 7),
        ({"retry_after": "1.5"}, b"", 1.5),
        ({"retry_after": "7", "retry_after_ms": "250"}, b"", 0.25),
        ({"retry_after": "Fri, 02 Jan 2026 03:05:05 GMT"}, b"", 60),
        ({"retry_after": "Thu, 01 Jan 2026 00:00:00 GMT"}, b"", 0),
        ({"retry_after": "soon"}, error("try again in 2.5s"), 2.5),
        ({"retry_after": "-3"}, b"", None),
        ({"retry_after": "nan"}, b"", None),
        ({}, error("Please try again in 45 minutes."), 2700),
        ({}, error("Please try again in 1m30s"), 90),
        ({}, error("Please try again in 20ms."), 0.02),
        ({}, error("Retry after 30 seconds"), 30),
        ({}, error("try again in a moment"), None),
        ({}, error("x", details=[{"@type": "RetryInfo", "retryDelay": "37s"}]), 37),
        ({}, b"", None),
    ],
)
def test_the_wait_is_read(
    fail: Failures, headers: dict[str, str], body: object, seconds: float | None
) -> None:
    made = refuse(fail, 429, body, **headers)
    assert made.retry_after == (None if seconds is None else pytest.approx(seconds))


def test_what_is_shown_is_short_clean_and_without_secrets(fail: Failures) -> None:
    made = refuse(fail, 401, error("key sk-abcdefgh12345678 is\n\nwrong " + "x" * 5000))
    assert "sk-abcdefgh12345678" not in str(made)
    assert "is wrong" in made.message and len(made.message) < 400
    page = refuse(fail, 500, error("oops <!DOCTYPE html><html>secret page</html>"))
    assert "html" not in str(page).lower()
    assert shown("a  b\nc") == "a b c"


def test_a_key_error_says_where_the_key_goes(fail: Failures) -> None:
    for made in (refuse(fail, 401), fail.no_key()):
        assert "providers.acme.apiKey" in made.remedy
        assert "ACME_API_KEY or ACME_TOKEN" in made.remedy


def test_a_key_error_says_how_keys_begin(fail: Failures) -> None:
    """A key of one vendor in the section of another is a common slip."""
    own = replace(fail, vendor=Vendor(key_prefix="sk-or-"))
    assert "keys begin with sk-or-" in refuse(own, 401).remedy
    assert "begin" not in refuse(fail, 401).remedy
    assert "begin" not in refuse(own, 402).remedy


def test_an_unknown_address_says_what_was_asked(fail: Failures) -> None:
    assert "https://api.acme.test/v1" in refuse(fail, 404).remedy


@pytest.mark.parametrize(
    ("failure", "expected", "named"),
    [
        (httpx.ConnectError("Connection refused"), errors.TransportError, "server running"),
        (httpx.ConnectError("Name or service not known"), errors.TransportError, "apiBase"),
        (httpx.ConnectTimeout(""), errors.TransportError, "apiBase"),
        (httpx.ReadTimeout(""), errors.ProviderTimeout, "NANOBOT_STREAM_IDLE_TIMEOUT_S"),
        (httpx.ReadError(""), errors.TransportError, "network"),
        (httpx.RemoteProtocolError("incomplete chunked read"), errors.TransportError, "network"),
        (httpx.ProxyError("407"), errors.TransportError, "providers.acme.proxy"),
        (httpx.DecodingError("bad gzip"), errors.MalformedAnswer, "apiBase"),
    ],
)
def test_failures_of_the_connection(
    fail: Failures, failure: Exception, expected: type, named: str
) -> None:
    made = fail.of_exception(failure)
    assert type(made) is expected and named in made.remedy


def test_the_text_of_a_header_error_is_not_shown(fail: Failures) -> None:
    made = fail.of_exception(
        httpx.LocalProtocolError("Illegal header value b'Bearer hunter2hunter'")
    )
    assert "hunter2" not in str(made)
