"""Turns what the SDK raises and what a stream reports into nanobot's errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import openai
from nanobot import errors
from nanobot.context import Clock
from nanobot_provider_compat.failure import Failures

from nanobot_provider_openai.auto import Incompatible

_FORGOTTEN = "previous_response_not_found"
_UNKNOWN_FIELD = frozenset({"unknown_parameter", "unsupported_parameter"})
_CHAT_ONLY = re.compile(
    r"\bv1/chat/completions\b|\bnot supported (?:by|in|with) the responses api\b", re.IGNORECASE
)


class Forgotten(errors.BadRequest):
    """Report that the vendor does not have the conversation that it was to go on with."""


class Faults:
    """Makes the errors of one request.

    Args:
        failures: Makes those that an HTTP answer or an error object reports.
        clock: The time, for a retry date.
        remedy: What to do when the request is not authorised, empty for the usual.
    """

    def __init__(self, failures: Failures, clock: Clock, *, remedy: str = "") -> None:
        self._failures = failures
        self._clock = clock
        self._remedy = remedy
        self.model = failures.model

    def of(self, fault: BaseException) -> errors.ProviderError:
        """Return nanobot's error for whatever the SDK, or the HTTP library below it, raises."""
        if isinstance(fault, errors.ProviderError):  # of the credentials
            return fault
        if isinstance(fault, openai.APIStatusError):
            return self._refused(fault)
        if isinstance(fault, openai.APITimeoutError):
            return self._make(
                errors.ProviderTimeout,
                "sent nothing within the time limit",
                "Try again; NANOBOT_STREAM_IDLE_TIMEOUT_S sets the limit in seconds.",
            )
        if isinstance(fault, ValueError):  # JSON or UTF-8 that is none
            return self.malformed()
        if isinstance(fault, openai.APIError) and not isinstance(fault, openai.APIConnectionError):
            return self.reported({"error": fault.body})
        cause = fault.__cause__ or fault
        return self._make(
            errors.TransportError,
            f"can not be reached at {self._failures.address} ({type(cause).__name__})",
            f"Check the network, and {self._failures.section}.apiBase and proxy if they are set.",
        )

    def reported(self, event: Mapping[str, Any]) -> errors.ProviderError:
        """Return the error that an event reports in the midst of an answer."""
        response = event.get("response")
        if isinstance(response, Mapping):
            event = response
        error = event.get("error")
        return self._failures.of_payload(
            {"error": dict(error if isinstance(error, Mapping) else event)}, self._now()
        )

    def malformed(self) -> errors.ProviderError:
        """Return the error for an answer that does not follow the Responses API."""
        return self._make(
            errors.MalformedAnswer,
            "sent an answer that does not follow the Responses API",
            f"Try again; if {self._failures.section}.apiBase is set, check what answers there.",
        )

    def broken(self) -> errors.ProviderError:
        """Return the error for a stream without its end."""
        return self._make(
            errors.TransportError, "ended the answer before it was complete", "Try again."
        )

    def _refused(self, fault: openai.APIStatusError) -> errors.ProviderError:
        response = fault.response
        error = self._failures.of_answer(
            fault.status_code, response.headers, response.content, self._now()
        )
        if isinstance(error, errors.AuthError) and self._remedy:
            error.remedy = self._remedy
        if not isinstance(error, errors.BadRequest):
            return error
        kind: type[errors.BadRequest] = errors.BadRequest
        if fault.code == _FORGOTTEN:
            kind = Forgotten
        elif fault.code in _UNKNOWN_FIELD or _CHAT_ONLY.search(fault.message):
            kind = Incompatible
        return kind(
            error.message,
            provider=error.provider,
            model=error.model,
            status=error.status,
            remedy=error.remedy,
        )

    def _make(
        self, kind: type[errors.ProviderError], said: str, remedy: str
    ) -> errors.ProviderError:
        name = self._failures.provider
        model = f", model {self.model}," if self.model else ""
        return kind(
            f"Provider {name}{model} {said}", provider=name, model=self.model, remedy=remedy
        )

    def _now(self) -> datetime:
        return self._clock.now()
