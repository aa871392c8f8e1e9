"""What a plugin of kind ``web`` offers, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nanobot.specs import Spec


@dataclass(frozen=True, kw_only=True, slots=True)
class WebSpec(Spec):
    """An app behind the front door; its factory opens a `nanobot_service_http.asgi.Web`.

    Args:
        mount: Path under which it is reached, such as ``/notes`` or ``/v1``; ``/`` takes whatever
            no other mount does. The longest one that fits wins.
        auth: ``token``: only callers with the gateway's token get through. ``none``: everybody
            does who passes the other checks; the app knows its callers by itself.
        methods: HTTP methods that it takes; GET brings HEAD with it. GET and HEAD never have a
            body and must not change anything.
        content_types: Types of request bodies that it takes; ``*`` for any.
        max_body_bytes: Longest request body; 0 takes ``gateway.maxBodyBytes``.
        timeout_s: Seconds until its answer begins; 0 takes ``gateway.requestTimeoutS``.
        websocket: It speaks WebSocket as well. The same checks are made before the upgrade.
    """

    mount: str = ""
    auth: Literal["token", "none"] = "token"
    methods: tuple[str, ...] = ("GET", "POST")
    content_types: tuple[str, ...] = ("application/json",)
    max_body_bytes: int = 0
    timeout_s: float = 0.0
    websocket: bool = False
