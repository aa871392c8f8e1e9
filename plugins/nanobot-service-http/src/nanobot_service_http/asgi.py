"""The contract of a web app: an ASGI application (asgi.readthedocs.io, specification 3.0).

The front door has made its checks before an app is called. The app finds in its scope:

- ``root_path``: the mount; ``path`` is the whole path, so the part of the app is what follows;
- ``state["authenticated"]``: whether the caller gave the gateway's token, which is taken out of
  the headers;
- ``state["health"]``: a function that returns how the gateway fares, a
  `nanobot_gateway.service.Health`, or None when that can not be told.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Web(Protocol):
    """What a plugin of kind ``web`` opens; on the first request for it, not before."""

    @property
    def app(self) -> App:
        """Return the ASGI application; asked once for each request.

        A body that is too long or too slow appears as ``http.disconnect``; the caller is told by
        the front door. What it raises is logged, and the caller reads nothing of it.
        """
        ...
