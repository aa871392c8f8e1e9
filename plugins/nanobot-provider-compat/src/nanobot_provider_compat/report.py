"""What a vendor's error answer says, and which case it is.

Typed fields decide: the HTTP status and the ``code`` and ``type`` of the error object. Words are
read only where no typed field says enough, as whole words, and a number in a text is never taken
for a status.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from nanobot_provider_compat.vendor import Vendor


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Codes and types, lower case, letters and digits only; the first case with a hit wins.
_CODES: Mapping[str, frozenset[str]] = {
    "quota": _names(
        "insufficientquota quotaexceeded quotaexhausted billinghardlimitreached arrearage "
        "insufficientbalance creditbalancetoolow billingnotactive paymentrequired "
        "insufficientcredits insufficientfunds"
    ),
    "filtered": _names(
        "contentfilter contentpolicyviolation datainspectionfailed contentmoderation moderation "
        "responsibleaipolicyviolation contentfiltered sensitivecontent promptblocked "
        "flaggedinput"
    ),
    "context": _names(
        "contextlengthexceeded contextlength contextwindowexceeded exceedcontextsizeerror "
        "modelcontextwindowexceeded maxpromptlengthexceeded prompttoolong"
    ),
    "auth": _names(
        "authenticationerror authentication invalidapikey incorrectapikey expiredapikey "
        "apikeyinvalid invalidauthentication unauthorized unauthenticated permissiondenied "
        "permissionerror accessdenied accountdeactivated organizationdeactivated invalidtoken "
        "expiredtoken invalidcredential invalidcredentials expiredcredentials "
        "invalidauthenticationerror incorrectapikeyerror permissiondeniederror"
    ),
    "rate_limit": _names(
        "ratelimitexceeded ratelimiterror ratelimit toomanyrequests requestlimitexceeded "
        "requestslimitexceeded throttling concurrencylimitexceeded"
    ),
    "timeout": _names("timeout requesttimeout timeouterror gatewaytimeout"),
    "overload": _names(
        "overloadederror overloaded engineoverloaded engineoverloadederror servererror apierror "
        "internalservererror internalerror serviceunavailable modeloverloaded "
        "insufficientsystemresource"
    ),
    "bad_request": _names(
        "invalidrequesterror invalidrequest badrequest badrequesterror invalidargument "
        "invalidparameter notfounderror modelnotfound unsupportedparameter"
    ),
}

_TOO_LONG_WORDS = re.compile(
    r"\b(?:maximum context length|(?:prompt|input) is too long|too many (?:input |prompt )?tokens|"
    r"reduce the length of the (?:messages|prompt|input)|range of input length|"
    r"exceed(?:s|ed) model token limit|(?:input )?tokens? length too long|"
    r"input token count .{0,40}exceeds)\b",
    re.IGNORECASE,
)
_CONTEXT_WORDS = re.compile(r"\bcontext[ _-](?:length|window|size)\b", re.IGNORECASE)
_MORE_WORDS = re.compile(
    r"\b(?:exceed\w*|too (?:long|large|many)|long(?:er)?|large[rd]?|limit\w*|overflow\w*)\b", re.I
)
_QUOTA_WORDS = re.compile(
    r"\b(?:insufficient (?:quota|balance|credits?)|quota (?:exceeded|exhausted)|"
    r"exceeded your current quota|out of (?:credits?|quota)|credit balance is too low|"
    r"billing (?:hard limit|not active)|payment required)\b",
    re.IGNORECASE,
)
_WORDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("quota", _QUOTA_WORDS),
    ("context", _TOO_LONG_WORDS),
    ("auth", re.compile(r"\b(?:invalid|incorrect|expired) (?:api key|token|credentials?)\b", re.I)),
    ("rate_limit", re.compile(r"\b(?:rate limit|too many requests)\b|速率限制|访问量过大", re.I)),
    ("timeout", re.compile(r"\b(?:timed out|timeout)\b", re.I)),
)

_AGAIN = re.compile(
    r"\b(?:try again|retry(?:ing)?|wait)\s+(?:in|after|for)?\s*"
    r"((?:\d+(?:\.\d+)?\s*(?:ms|milliseconds?|hours?|h|minutes?|mins?|m|seconds?|secs?|s)\s*)+)",
    re.IGNORECASE,
)
_TEXT = 4000
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|milli|h|m|s)", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "milli": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What an error body says.

    Args:
        text: The vendor's words, for people.
        codes: The values of its typed fields.
        status: A status that the body itself names, 0 when it names none.
        retry_after: Seconds that the body asks to wait.
    """

    text: str = ""
    codes: tuple[str, ...] = ()
    status: int = 0
    retry_after: float | None = None


def read_report(body: Any) -> Report:
    """Read an error body, parsed or as text; every vendor nests it in its own way."""
    if isinstance(body, list):
        body = body[0] if body else {}
    if not isinstance(body, dict):
        return Report(text=body[:_TEXT] if isinstance(body, str) else "")
    inner = body.get("error")
    if isinstance(inner, str):
        return Report(text=inner[:_TEXT], codes=_codes(body))
    error = inner if isinstance(inner, dict) else body
    if isinstance(body.get("base_resp"), dict):
        error = body["base_resp"]
    text = ""
    for key in ("message", "status_msg", "msg", "detail", "error_msg", "errors"):
        value = error.get(key)
        if value:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            break
    details = error.get("details")
    inside = (
        [detail for detail in details if isinstance(detail, dict)]
        if isinstance(details, list)
        else []
    )
    codes = [*_codes(error), *(code for detail in inside for code in _codes(detail))]
    if isinstance(error.get("innererror"), dict):
        codes += _codes(error["innererror"])
    if isinstance(error.get("metadata"), dict) and "flagged_input" in error["metadata"]:
        codes.append("flagged_input")  # OpenRouter's moderation, which answers 403
    number = error.get("code")
    waits = [_span(str(detail["retryDelay"])) for detail in inside if detail.get("retryDelay")]
    return Report(
        text=text[:_TEXT],
        codes=tuple(codes),
        status=number if isinstance(number, int) and 400 <= number <= 599 else 0,
        retry_after=waits[0] if waits else None,
    )


def _codes(error: Mapping[str, Any]) -> tuple[str, ...]:
    values = (error.get(key) for key in ("code", "type", "status", "status_code", "reason"))
    return tuple(str(value) for value in values if isinstance(value, str | int) and value != "")


def classify(status: int, report: Report, vendor: Vendor) -> str:
    """Return the case that an error is: a key of `Vendor.error_codes`."""
    for code in report.codes:
        if code in vendor.error_codes:
            return vendor.error_codes[code]
    codes = {re.sub(r"[^a-z0-9]", "", code.lower()) for code in report.codes}
    typed = next((case for case, names in _CODES.items() if codes & names), "")
    status = status if status >= 400 else report.status
    if status == 402 or typed == "quota":
        return "quota"
    if status < 500 and typed in ("filtered", "context", "auth"):
        return typed
    if status in (401, 403):
        return "auth"
    if status == 451:
        return "filtered"
    if status == 429:
        if typed in ("rate_limit", "overload"):
            return typed
        return "quota" if _QUOTA_WORDS.search(report.text) else "rate_limit"
    if status == 413 or typed == "context":
        return "context"
    if status in (400, 422, 500) and _overflows(report.text):
        return "context"
    if status in (408, 504):
        return "timeout"
    if status == 409 or status >= 500:
        return "overload"
    if status:
        return "bad_request"
    return typed or next((case for case, words in _WORDS if words.search(report.text)), "overload")


def _overflows(text: str) -> bool:
    """Tell whether words say that the prompt is too long; a mere mention of the window is not."""
    return bool(
        _TOO_LONG_WORDS.search(text) or (_CONTEXT_WORDS.search(text) and _MORE_WORDS.search(text))
    )


def _span(text: str) -> float | None:
    parts = _SPAN.findall(text)
    return sum(float(number) * _SECONDS[unit.lower()] for number, unit in parts) if parts else None


def read_retry_after(headers: Mapping[str, str], report: Report, now: datetime) -> float | None:
    """Return the seconds that the vendor asks to wait.

    It is said in ``retry-after-ms``, in ``retry-after`` as seconds or as an HTTP date, in the error
    object (Google's RetryInfo), or in the words "try again in 2.5s".
    """
    for name, factor in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if re.fullmatch(r"\d{1,9}(?:\.\d+)?", value):
            return float(value) * factor
        if value and name == "retry-after":
            try:
                date = parsedate_to_datetime(value)
                return max(0.0, (date - now).total_seconds())
            except (ValueError, TypeError):
                pass
    if report.retry_after is not None:
        return report.retry_after
    found = _AGAIN.search(report.text)
    return _span(found[1]) if found else None
