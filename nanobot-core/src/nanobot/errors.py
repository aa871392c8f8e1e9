"""The errors that nanobot raises, and that plugins raise to it.

Every error carries the next step as well as the fault::

    NanobotError                 message, remedy
    ├── ConfigError              the configuration can not be used
    ├── PluginError              one plugin can not be used (plugin)
    │   └── PluginMissing        nothing installed provides it; names the distribution
    ├── ProviderError            a model call failed (provider, model, status, retry_after)
    │   ├── AuthError            key missing, wrong, expired, or without permission
    │   ├── QuotaError           the account has no credit or quota left
    │   ├── RateLimitError       too many requests; retried
    │   ├── OverloadError        the vendor is overloaded or failing (5xx); retried
    │   ├── TransportError       DNS, connect, reset, TLS; retried
    │   ├── ProviderTimeout      no byte within the deadline; retried
    │   ├── MalformedAnswer      the answer is not what the dialect promises; retried
    │   ├── ContextOverflow      the prompt is longer than the model accepts; compacted
    │   ├── ContentFiltered      refused by the vendor's filter
    │   └── BadRequest           any other refusal of the request
    ├── ToolError                a tool failed (kind, retryable, target)
    │   ├── OutsideWorkspace     a path leaves what the turn may touch
    │   └── BlockedAddress       a network address that tools may not reach
    └── StorageError             reading or writing the instance's own state failed
        ├── SessionBusy          another process runs a turn in this session
        └── SessionVersion       the transcript was written by a newer nanobot

Policy reads the class, never the words of a message.
"""

from __future__ import annotations


def describe(error: BaseException) -> str:
    """Say in a line what an exception of foreign code means."""
    if isinstance(error, NanobotError):
        return error.message
    if isinstance(error, SyntaxError):
        return f"SyntaxError in {error.filename}, line {error.lineno}: {error.msg}"
    if isinstance(error, ModuleNotFoundError):
        return f"module {error.name!r} is not installed"
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error.code!r})"
    return f"{type(error).__name__}: {error}"


class NanobotError(Exception):
    """Base of all errors that a user may see.

    Args:
        message: What went wrong, in one sentence, without any secret.
        remedy: What to do next; shown on its own line.
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}" if self.remedy else self.message


class ConfigError(NanobotError):
    """Report a configuration that can not be used; nothing was changed on disk."""


class PluginError(NanobotError):
    """Report that one plugin can not be used.

    Args:
        plugin: The plugin's id, such as ``channels.feishu``.
    """

    def __init__(self, message: str, *, plugin: str = "", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.plugin = plugin


class PluginMissing(PluginError):
    """Report that no installed distribution provides a plugin."""


class ProviderError(NanobotError):
    """Report a failed model call.

    Args:
        provider: Name of the provider plugin.
        model: Model id as it was sent.
        status: HTTP status, 0 when there was none.
        retry_after: Seconds that the vendor asked to wait, None when it did not.
    """

    retryable = False

    def __init__(
        self,
        message: str,
        *,
        provider: str = "",
        model: str = "",
        status: int = 0,
        retry_after: float | None = None,
        remedy: str = "",
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.provider = provider
        self.model = model
        self.status = status
        self.retry_after = retry_after


class AuthError(ProviderError):
    """Report a key that is missing, wrong, expired, or lacks permission."""


class QuotaError(ProviderError):
    """Report an account without credit or quota; waiting does not help."""


class RateLimitError(ProviderError):
    """Report that the vendor limits the request rate."""

    retryable = True


class OverloadError(ProviderError):
    """Report that the vendor is overloaded or failing on its side."""

    retryable = True


class TransportError(ProviderError):
    """Report a failure of DNS, connection, TLS, or a stream that broke."""

    retryable = True


class ProviderTimeout(ProviderError):
    """Report that the vendor sent nothing within the deadline."""

    retryable = True


class MalformedAnswer(ProviderError):
    """Report an answer that does not follow the vendor's dialect."""

    retryable = True


class ContextOverflow(ProviderError):
    """Report a prompt longer than the model accepts."""


class ContentFiltered(ProviderError):
    """Report that the vendor's content filter refused the request."""


class BadRequest(ProviderError):
    """Report any other refusal of a request."""


class ToolError(NanobotError):
    """Report a failed tool call; the tool pipeline turns it into an error result.

    Args:
        message: What the model should know.
        kind: A word that policy may decide on, such as ``not_found`` or ``timeout``.
        retryable: True when the same call may succeed later.
        target: What the call was about (a path, a URL); lets repeated attempts be recognised.
    """

    kind = "failed"

    def __init__(
        self, message: str, *, kind: str = "", retryable: bool = False, target: str = ""
    ) -> None:
        super().__init__(message)
        self.kind = kind or type(self).kind
        self.retryable = retryable
        self.target = target


class OutsideWorkspace(ToolError):
    """Refuse a path that leaves what the turn may touch."""

    kind = "outside_workspace"


class BlockedAddress(ToolError):
    """Refuse a network address that tools may not reach; ends the turn."""

    kind = "blocked_address"


class StorageError(NanobotError):
    """Report that the instance's own state can not be read or written."""


class SessionBusy(StorageError):
    """Report that another process runs a turn in this session."""


class SessionVersion(StorageError):
    """Report a transcript written by a newer version of nanobot."""
