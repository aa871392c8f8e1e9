"""Turns what AWS and the HTTP client report into nanobot's errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx
from nanobot import errors
from nanobot.context import Clock
from nanobot_provider_compat.failure import Failures
from nanobot_provider_compat.vendor import Vendor

from nanobot_provider_bedrock.signing import REMEDY

VENDOR = Vendor(
    env_keys=("AWS_BEARER_TOKEN_BEDROCK",),
    error_codes={
        **dict.fromkeys(
            (
                *("accessdeniedexception", "unrecognizedclientexception", "incompletesignature"),
                *("invalidsignatureexception", "expiredtokenexception", "expiredtoken"),
                *("missingauthenticationtoken", "invalidclienttokenid"),
            ),
            "auth",
        ),
        "throttlingexception": "rate_limit",
        "servicequotaexceededexception": "quota",
        **dict.fromkeys(
            (
                *("internalserverexception", "serviceunavailableexception"),
                *("modelerrorexception", "modelstreamerrorexception", "modelnotreadyexception"),
            ),
            "overload",
        ),
        "modeltimeoutexception": "timeout",
        "resourcenotfoundexception": "bad_request",
    },
)
"""What AWS's exceptions mean; a ValidationException is judged by its words."""

_INVALID, _INVALID_STATUS = "validationexception", 400
_NOT_FOUND = (
    "Check the model's id and the region. Newer models want an inference profile, such as "
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0, and some must be enabled for the account."
)


class Faults:
    """Makes the errors of one request.

    Args:
        failures: Makes those that an HTTP answer or an error object reports.
        clock: The time, for a retry date.
    """

    def __init__(self, failures: Failures, clock: Clock) -> None:
        self._failures = failures
        self._clock = clock
        self.model = failures.model

    def refused(self, response: httpx.Response, content: bytes) -> errors.ProviderError:
        """Return the error that an HTTP answer with a bad status is."""
        name = response.headers.get("x-amzn-errortype", "").partition(":")[0]
        try:
            said = json.loads(content)
        except (ValueError, RecursionError):
            said = None
        if isinstance(said, Mapping):
            name = name or str(said.get("__type", "")).rpartition("#")[2]
            content = json.dumps(_report(name, said)).encode()
        error = self._failures.of_answer(
            response.status_code, response.headers, content, self._clock.now()
        )
        if response.status_code == 404:
            error.remedy = _NOT_FOUND
        return _advised(error)

    def reported(self, name: str, said: Mapping[str, Any]) -> errors.ProviderError:
        """Return the error that an exception in the midst of an answer is."""
        report, now = _report(name, said), self._clock.now()
        if name.lower() == _INVALID:
            content = json.dumps(report).encode()
            return self._failures.of_answer(_INVALID_STATUS, {}, content, now)
        return _advised(self._failures.of_payload(report, now))

    def of(self, fault: Exception) -> errors.ProviderError:
        """Return the error that a failure of the HTTP client is."""
        return self._failures.of_exception(fault)

    def malformed(self) -> errors.ProviderError:
        """Return the error for an answer that does not follow Converse."""
        return self._make(
            errors.MalformedAnswer,
            "sent an answer that does not follow the Converse API",
            "Try again; if providers.bedrock.apiBase is set, check what answers there.",
        )

    def broken(self) -> errors.ProviderError:
        """Return the error for a stream without its end."""
        return self._make(
            errors.TransportError, "ended the answer before it was complete", "Try again."
        )

    def _make(
        self, kind: type[errors.ProviderError], said: str, remedy: str
    ) -> errors.ProviderError:
        model = f", model {self.model}," if self.model else ""
        return kind(
            f"Provider bedrock{model} {said}", provider="bedrock", model=self.model, remedy=remedy
        )


def _report(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    message = said.get("message") or said.get("Message") or ""
    return {"error": {"code": name.lower(), "message": message}}


def _advised(error: errors.ProviderError) -> errors.ProviderError:
    if isinstance(error, errors.AuthError):
        error.remedy = f"{REMEDY}. A model may need to be enabled for the account, too."
    return error
