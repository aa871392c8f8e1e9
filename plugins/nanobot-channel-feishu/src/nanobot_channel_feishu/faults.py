"""What the platform's error codes mean.

Codes are those of the platform's documentation ("generic error codes", "send message", "CardKit").
"""

from __future__ import annotations

from nanobot_gateway.channel import DeliveryError

STALE_TOKEN = frozenset({99991661, 99991663, 99991664, 99991665, 99991668, 99991671, 99991677})
"""The access token has expired or was revoked: ask for a new one, once."""

RATE_LIMITED = frozenset({99991400, 99991402, 230020, 11232, 11233, 11020, 11021})
"""Too many requests: of the app (9999...), in a chat (230020), of the tenant (112...)."""

TRANSIENT = frozenset({1, 514, 2200, 55001, 230049, 1000040343, 1000040350})
"""Internal errors, a message still being sent, a ticket that is used up, too many connections."""

NOT_PERMITTED = frozenset({99991672, 99991679, 230027})
"""The app lacks a scope."""

GONE = frozenset({230011, 230110, 231003, 230050, 230019})
"""The message or topic to answer was recalled or deleted, or can not be seen."""

BAD_CONTENT = frozenset({230001, 230025, 230054, 230099, 200621, 200610, 11310})
"""The content is not what this kind of message may hold, or too much of it."""

STREAM_CLOSED = frozenset({300309, 200850})
"""The card no longer streams: ten minutes have passed, or it stood still for too long."""

_REMEDIES = {
    230002: "Add the bot to the group.",
    230006: "Switch on the bot ability in the developer console and publish a version.",
    230013: "Put the user into the app's availability range in the developer console.",
    230018: "Let members or this bot speak in the group.",
    230035: "Let members or this bot speak in the group.",
}
_SCOPE = "Grant the app this scope in the developer console and publish a version."


class ApiError(Exception):
    """Report a request that the platform refused or did not answer.

    Args:
        code: The platform's code; 0 when there was no answer that holds one.
        message: What it says about it.
        status: HTTP status, 0 when there was none.
        retry_after: Seconds that it asked to wait, None when it did not.
    """

    def __init__(
        self, code: int, message: str, *, status: int = 0, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{message} (code {code})" if code else message)
        self.code = code
        self.status = status
        self.retry_after = retry_after

    @property
    def rate_limited(self) -> bool:
        """Tell whether there were too many requests."""
        return self.code in RATE_LIMITED or self.status == 429

    @property
    def retryable(self) -> bool:
        """Tell whether the same request may succeed later."""
        if self.rate_limited or self.code in TRANSIENT | STALE_TOKEN or self.status >= 500:
            return True
        return not self.code and not self.status

    @property
    def remedy(self) -> str:
        """Say what to do, empty when nothing helps but waiting."""
        return _SCOPE if self.code in NOT_PERMITTED else _REMEDIES.get(self.code, "")

    def delivery(self) -> DeliveryError:
        """Return what the gateway is told."""
        return DeliveryError(
            f"Feishu did not take the message: {self}",
            retryable=self.retryable,
            retry_after=self.retry_after,
            remedy=self.remedy,
        )
