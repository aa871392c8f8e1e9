"""Turns what the SDK raises into nanobot's errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import anthropic
import httpx2
from nanobot import errors
from nanobot.log import redact

from nanobot_provider_anthropic.vendor import Vendor

_MAX_TEXT = 300
_HTML = re.compile(r"<\s*(?:!doctype|html|head|body|title)\b", re.IGNORECASE)

_WAIT = "Wait a moment, or use another model."

_SPENT = frozenset(
    {
        "contract_spend_limit_reached",
        "enforced_spend_limit_reached",
        "linked_organization_billing_unavailable",
        "linked_organization_spend_limit_reached",
    }
)
# The vendor gives these the type invalid_request_error, so that only the documented phrase tells.
_CREDIT = re.compile(r"\bcredit balance is too low\b|\breached your specified .* usage limits\b")
_CONTEXT = re.compile(r"\bprompt is too long\b|\bexceeds? (?:the )?context (?:limit|window)\b")
_FILTER = re.compile(r"\bblocked by content filtering policy\b")

_TYPES: Mapping[str, type[errors.ProviderError]] = {
    "authentication_error": errors.AuthError,
    "permission_error": errors.AuthError,
    "billing_error": errors.QuotaError,
    "rate_limit_error": errors.RateLimitError,
    "overloaded_error": errors.OverloadError,
    "api_error": errors.OverloadError,
    "timeout_error": errors.ProviderTimeout,
    "request_too_large": errors.ContextOverflow,
    "not_found_error": errors.BadRequest,
}
_REMEDIES: Mapping[type[errors.ProviderError], str] = {
    errors.RateLimitError: _WAIT,
    errors.OverloadError: _WAIT,
    errors.ProviderTimeout: _WAIT,
    errors.ContextOverflow: "Start a new session, or use a model with a larger window.",
    errors.ContentFiltered: "Put the request in other words, or use another model.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Faults:
    """Makes the errors of one provider.

    Args:
        name: Name of the provider plugin.
        section: Where its configuration is, such as ``providers.anthropic``.
        vendor: What it does its own way.
    """

    name: str
    section: str
    vendor: Vendor

    def missing_key(self, model: str = "") -> errors.AuthError:
        """Return the error for a request without a key."""
        return errors.AuthError(
            f"No key for {self.vendor.title}",
            provider=self.name,
            model=model,
            remedy=f"Set {' or '.join(self.vendor.env_keys)} or {self.section}.apiKey; "
            f"{self._keys()}",
        )

    def translate(self, fault: BaseException, *, model: str = "") -> errors.ProviderError:
        """Return nanobot's error for whatever the SDK, or the HTTP library below it, raises."""
        if isinstance(fault, anthropic.APIStatusError):
            # An error event comes in the midst of an answer that began with status 200.
            status = fault.status_code if fault.status_code >= 300 else 0
            return self._refused(status, fault.body, fault.response.headers, model)
        if isinstance(fault, anthropic.APITimeoutError | httpx2.TimeoutException):
            return errors.ProviderTimeout(
                f"{self.vendor.title} sent nothing within the time limit",
                provider=self.name,
                model=model,
                remedy="Try again; NANOBOT_STREAM_IDLE_TIMEOUT_S sets the limit in seconds.",
            )
        if isinstance(fault, ValueError):  # JSON or UTF-8 that is none
            return self.malformed(model)
        cause = fault.__cause__ or fault
        return errors.TransportError(
            f"The connection to {self.vendor.title} failed ({type(cause).__name__})",
            provider=self.name,
            model=model,
            remedy=f"Check the network, and {self.section}.apiBase and proxy if they are set.",
        )

    def malformed(self, model: str = "") -> errors.MalformedAnswer:
        """Return the error for an answer that does not follow the Messages API."""
        return errors.MalformedAnswer(
            f"The answer of {self.vendor.title} does not follow the Messages API",
            provider=self.name,
            model=model,
            remedy=f"Try again; if {self.section}.apiBase is set, check what answers there.",
        )

    def broken(self, model: str) -> errors.TransportError:
        """Return the error for a stream without its end."""
        return errors.TransportError(
            f"The answer of {self.vendor.title} broke off",
            provider=self.name,
            model=model,
            remedy="Try again.",
        )

    def reported(self, event: Mapping[str, Any], *, model: str) -> errors.ProviderError:
        """Return the error that an ``error`` event reports in the midst of an answer."""
        return self._refused(0, event, {}, model)

    def _refused(
        self, status: int, body: object, headers: Mapping[str, str], model: str
    ) -> errors.ProviderError:
        error = body.get("error") if isinstance(body, Mapping) else None
        detail: Mapping[str, Any] = error if isinstance(error, Mapping) else {}
        kind = _kind(status, detail)
        text = _vendor_text(detail.get("message"))
        where = f" (HTTP {status})" if status else ""
        return kind(
            f"{self.vendor.title} refused the request{where}" + (f": {text}" if text else ""),
            provider=self.name,
            model=model,
            status=status,
            retry_after=retry_after(headers),
            remedy=self._remedy(kind, status, model),
        )

    def _remedy(self, kind: type[errors.ProviderError], status: int, model: str) -> str:
        if kind is errors.AuthError:
            keys = " or ".join((f"{self.section}.apiKey", *self.vendor.env_keys))
            return f"Check {keys}; {self._keys()}"
        if kind is errors.QuotaError:
            return (
                f"Add credit or raise the spend limit at {self.vendor.billing_page}, "
                "or use another model."
            )
        if status == 404:
            return f"Check the model name {model!r} and {self.section}.apiBase."
        if 300 <= status < 400:
            return f"The server points elsewhere; check {self.section}.apiBase."
        default = f"Check the model's name and the settings in {self.section}."
        return _REMEDIES.get(kind, default)

    def _keys(self) -> str:
        return f"keys are made at {self.vendor.keys_page}."


def _kind(status: int, detail: Mapping[str, Any]) -> type[errors.ProviderError]:
    """Decide by typed fields first, then by status; by words only where nothing else tells."""
    details = detail.get("details")
    code = details.get("error_code") if isinstance(details, Mapping) else None
    if code in _SPENT:
        return errors.QuotaError
    kind = detail.get("type")
    if isinstance(kind, str) and kind in _TYPES:
        return _TYPES[kind]
    message = detail.get("message")
    if status in (0, 400) and isinstance(message, str):
        for pattern, meant in (
            (_CREDIT, errors.QuotaError),
            (_CONTEXT, errors.ContextOverflow),
            (_FILTER, errors.ContentFiltered),
        ):
            if pattern.search(message.replace("`", "")):
                return meant
    if not status and kind == "invalid_request_error":
        return errors.BadRequest
    return _by_status(status)


def _by_status(status: int) -> type[errors.ProviderError]:
    known: Mapping[int, type[errors.ProviderError]] = {
        401: errors.AuthError,
        402: errors.QuotaError,
        403: errors.AuthError,
        408: errors.ProviderTimeout,
        409: errors.OverloadError,
        413: errors.ContextOverflow,
        429: errors.RateLimitError,
    }
    if status in known:
        return known[status]
    return errors.OverloadError if status >= 500 or not status else errors.BadRequest


def _vendor_text(message: Any) -> str:
    """Return the vendor's words, short, on one line, without secrets and without HTML."""
    if not isinstance(message, str) or _HTML.search(message):
        return ""
    text = " ".join(redact(message).split())
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the vendor asks to wait: milliseconds, seconds, or a date."""
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return max(float(milliseconds) / 1000, 0.0)
        value = headers.get("retry-after")
        if not value:
            return None
        if re.fullmatch(r"\s*\d+(?:\.\d+)?\s*", value):
            return float(value)
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)
