"""What went wrong, as an error that says what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
from nanobot import errors
from nanobot.log import redact

from nanobot_provider_compat.report import Report, classify, read_report, read_retry_after
from nanobot_provider_compat.surrogates import mend
from nanobot_provider_compat.vendor import Vendor

_SHOWN = 300
_HTML = re.compile(r"<(?:!doctype|html|head|body)\b", re.IGNORECASE)

_CASES: Mapping[str, type[errors.ProviderError]] = {
    "quota": errors.QuotaError,
    "filtered": errors.ContentFiltered,
    "context": errors.ContextOverflow,
    "auth": errors.AuthError,
    "rate_limit": errors.RateLimitError,
    "timeout": errors.ProviderTimeout,
    "overload": errors.OverloadError,
    "malformed": errors.MalformedAnswer,
    "bad_request": errors.BadRequest,
}


def shown(text: str) -> str:
    """Return a vendor's words as they may be shown: one line, short, no secret, no HTML page."""
    if _HTML.search(text):
        return ""
    line = " ".join(redact(mend(text[: 4 * _SHOWN])).split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


@dataclass(frozen=True, kw_only=True, slots=True)
class Failures:
    """Makes the errors of one request.

    Args:
        provider: Name of the provider plugin.
        section: Where its configuration is, such as ``providers.deepseek``.
        vendor: What it does its own way.
        address: Scheme, host and path that are asked, for messages.
        model: Model id as it is sent.
    """

    provider: str
    section: str
    vendor: Vendor
    address: str
    model: str = ""

    def of_answer(
        self, status: int, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> errors.ProviderError:
        """Return the error that an HTTP answer with a bad status is."""
        text = body.decode("utf-8", "replace")
        try:
            report = read_report(json.loads(text))
        except (ValueError, RecursionError):
            report = read_report(text)
        if 300 <= status < 400:
            return self._make(
                errors.BadRequest,
                f"is redirected (HTTP {status}), which is not followed",
                f"Set {self.section}.apiBase to the address that answers itself.",
                status=status,
            )
        case = classify(status, report, self.vendor)
        return self._of_case(
            case, report, status=status, retry_after=read_retry_after(headers, report, now)
        )

    def of_payload(self, payload: Any, now: datetime) -> errors.ProviderError:
        """Return the error that an error object inside a good answer is."""
        report = read_report(payload)
        return self._of_case(
            classify(0, report, self.vendor),
            report,
            status=report.status,
            retry_after=read_retry_after({}, report, now),
        )

    def of_exception(self, error: Exception) -> errors.ProviderError:
        """Return the error that a failure of the HTTP client is."""
        if isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout):
            return self._make(
                errors.ProviderTimeout,
                "sent nothing within the time limit",
                "Try again; NANOBOT_STREAM_IDLE_TIMEOUT_S sets the limit in seconds.",
            )
        if isinstance(error, httpx.DecodingError):
            return self.malformed("its compression is broken")
        what = shown(str(error)) or type(error).__name__
        if isinstance(error, httpx.LocalProtocolError):
            what = "the request can not be sent"  # the text would show the header, with the key
        remedy = f"Check the network, and {self.section}.apiBase if it is set."
        if isinstance(error, httpx.ProxyError):
            remedy = f"Check the proxy: {self.section}.proxy or the proxy variables."
        elif self.vendor.local or isinstance(error, httpx.ConnectError):
            remedy = f"Is the server running? Check {self.section}.apiBase."
        return self._make(
            errors.TransportError, f"can not be reached at {self.address}: {what}", remedy
        )

    def malformed(self, what: str) -> errors.ProviderError:
        """Return the error that an answer outside of the dialect is."""
        return self._make(
            errors.MalformedAnswer,
            f"sent an answer that is not chat completions: {what}",
            f"Check that {self.section}.apiBase is the base of an OpenAI-compatible API, "
            f"usually one that ends in /v1.",
        )

    def cut(self) -> errors.ProviderError:
        """Return the error that a stream without its end is."""
        return self._make(
            errors.TransportError, "ended the answer before it was complete", "Try again."
        )

    def no_key(self) -> errors.ProviderError:
        """Return the error that a missing key is."""
        return self._make(errors.AuthError, "needs an API key and none is set", self._key_remedy())

    def _key_remedy(self) -> str:
        where = f"{self.section}.apiKey"
        if self.vendor.env_keys:
            where += f" or the environment variable {' or '.join(self.vendor.env_keys)}"
        begins = f"; its keys begin with {self.vendor.key_prefix}" if self.vendor.key_prefix else ""
        return f"Set {where} to a valid key{begins}."

    def _of_case(
        self, case: str, report: Report, *, status: int, retry_after: float | None
    ) -> errors.ProviderError:
        said, remedy = {
            "auth": ("refused the key", self._key_remedy()),
            "quota": (
                "has no credit or quota left for this key",
                "Add credit or raise the limit at the vendor, or configure fallbackModels.",
            ),
            "rate_limit": ("limits the request rate", "Wait a moment, or use another model."),
            "overload": ("is failing or overloaded", "Try again, or use another model."),
            "timeout": ("gave up waiting for the model", "Try again, or use another model."),
            "context": (
                "says that the prompt is longer than the model accepts",
                "Start a new session, or use a model with a larger window.",
            ),
            "filtered": (
                "refused the request by its content filter",
                "Rephrase the request, or use another model.",
            ),
            "malformed": (
                "says that the model gave no usable answer",
                "Try again, or use another model.",
            ),
            "bad_request": (
                "refused the request",
                f"Check the model's name and the settings in {self.section}.",
            ),
        }[case]
        if status == 404:
            said = "does not know the model or the address"
            remedy = (
                f"Check the model's name, and that {self.section}.apiBase is the base of the API, "
                f"usually one that ends in /v1 (asked: {self.address})."
            )
        words = shown(report.text)
        detail = f" (HTTP {status})" if status else ""
        return self._make(
            _CASES[case],
            f"{said}{detail}{': ' + words if words else ''}",
            remedy,
            status=status,
            retry_after=retry_after,
        )

    def _make(
        self,
        kind: type[errors.ProviderError],
        said: str,
        remedy: str,
        *,
        status: int = 0,
        retry_after: float | None = None,
    ) -> errors.ProviderError:
        model = f", model {self.model}," if self.model else ""
        return kind(
            f"Provider {self.provider}{model} {said}",
            provider=self.provider,
            model=self.model,
            status=status,
            retry_after=retry_after,
            remedy=remedy,
        )
