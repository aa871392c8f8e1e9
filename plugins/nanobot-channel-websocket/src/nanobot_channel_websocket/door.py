"""The front door: every request is checked here before anything else happens.

The order is: name of the host, origin, fetch metadata, route, and then what the caller must show.
A web page can make a browser send requests to this machine; it can choose neither the `Host` nor
the `Origin` that the browser writes, so a foreign one is refused whatever else the request holds.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import re
import secrets
import socket
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from nanobot.config import Secret
from nanobot.log import Logger
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from nanobot_channel_websocket import uploads
from nanobot_channel_websocket.config import WILDCARDS, WebSocketConfig, is_loopback
from nanobot_channel_websocket.downloads import PREFIX, Downloads
from nanobot_channel_websocket.frames import LONGEST_TEXT
from nanobot_channel_websocket.link import Grant, Link
from nanobot_channel_websocket.tokens import Audience, Tokens, TooManyTokens

LONGEST_CLIENT_ID = 128
BOOTSTRAP = "/webui/bootstrap"
_ENVELOPE = 2**16
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>\d{1,5}))?", re.IGNORECASE)
_FORWARDED = ("X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")
_NATIVE = ("can_restart_engine", "can_pick_folder", "can_open_logs", "can_export_diagnostics")


class Door:
    """Decides on requests; used as the `process_request` of the server."""

    def __init__(
        self, config: WebSocketConfig, tokens: Tokens, downloads: Downloads, log: Logger
    ) -> None:
        self._config = config
        self._tokens = tokens
        self._downloads = downloads
        self._log = log
        self._secret = config.token_issue_secret or config.token
        self._hosts = _host_names(config)
        self._origins = _origins(config)

    async def __call__(self, link: Link, request: Request) -> Response | None:
        """Return the answer to a request, None to open a WebSocket."""
        refusal = self._foreign(request.headers)
        if refusal:
            return _refuse(403, refusal)
        path, _, query = request.path.partition("?")
        route = path.rstrip("/") or "/"
        if route == self._config.path and _wants_socket(request.headers):
            return self._open(link, request.headers, query)
        if route == self._config.token_issue_path:
            return self._issue(link, request.headers)
        if route == BOOTSTRAP:
            return self._bootstrap(link, request.headers)
        if route.startswith(PREFIX):
            return await self._media(route)
        return _json(404, {"error": "not found"})

    # --- where it comes from ----------------------------------------------------------------------

    def _foreign(self, headers: Headers) -> str:
        """Return why a request is refused whoever sends it, empty if it is not."""
        hosts, origins = headers.get_all("Host"), headers.get_all("Origin")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return (
                "this host name is not known here; "
                "name it in channels.websocket.allowedHosts or publicWsUrl"
            )
        if len(origins) > 1 or (origins and not self._may_come_from(origins[0], hosts[0])):
            return "pages from this origin may not connect; see channels.websocket.allowedOrigins"
        if not origins and _one(headers, "Sec-Fetch-Site") not in ("", "none", "same-origin"):
            return "requests from other sites are refused"
        return ""

    def _is_ours(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found["name"].lower()
        if name in self._hosts or name in _LOOPBACKS:
            return True
        # By address, a browser reaches only what its user opened; no name server is asked.
        return self._config.host in WILDCARDS and _is_unicast(name)

    def _may_come_from(self, origin: str, host: str) -> bool:
        origin, host = origin.lower(), host.lower()
        return origin in (f"http://{host}", f"https://{host}") or origin in self._origins

    def _is_local(self, link: Link, headers: Headers) -> bool:
        """Tell whether a request comes from this machine, and not through a proxy on it."""
        host = _HOST.fullmatch(headers["Host"])
        names = [host["name"] if host else ""]
        for header in _FORWARDED:
            for value in headers.get_all(header):
                names += [name.strip() for name in value.split(",")]
        for value in headers.get_all("Forwarded"):
            for pair in re.split("[,;]", value):
                key, _, name = pair.strip().partition("=")
                if key.lower() in ("for", "host", "by"):
                    names.append(name.strip('"'))
        peer = _peer(link)
        return (peer is None or peer.is_loopback) and all(map(_names_loopback, names))

    # --- who it is --------------------------------------------------------------------------------

    def _open(self, link: Link, headers: Headers, query: str) -> Response | None:
        try:
            asked = parse_qs(query, keep_blank_values=True, max_num_fields=32)
        except ValueError:
            return _json(400, {"error": "the query can not be read"})
        client = _only(asked, "client_id")[:LONGEST_CLIENT_ID]
        client = client or f"anon-{secrets.token_hex(6)}"
        if not self._may_connect(client):
            return _refuse(403, "this client_id may not connect; see channels.websocket.allowFrom")
        audience = self._admit(link, headers, _only(asked, "token") or _shown(headers))
        if audience is None:
            return _text(401, "Unauthorized")
        link.grant = Grant(
            client_id=client,
            trusted=audience is Audience.WEBUI,
            events=_only(asked, "events") == "all",
        )
        return None

    def _may_connect(self, client: str) -> bool:
        if client != client.strip() or not client.isprintable() or client == "*":
            return False
        allowed = self._config.allow_from
        named = {entry.partition("|")[0] for entry in (*allowed, *self._config.owners)} - {"*"}
        return "*" in allowed or client in named

    def _admit(self, link: Link, headers: Headers, token: str) -> Audience | None:
        """Return what a connection is let in as, None if it is not."""
        if self._comes_from_proxy(link, headers):
            return Audience.WEBUI
        if _same(token, self._config.token):
            return Audience.CLIENT
        issued = self._tokens.redeem(token) if token else None
        if issued is None and not self._config.token and not self._config.websocket_requires_token:
            return Audience.CLIENT
        return issued

    def _comes_from_proxy(self, link: Link, headers: Headers) -> bool:
        proxy, peer = self._config.trusted_proxy_auth, _peer(link)
        if proxy is None or peer is None:
            return False
        asserted = headers.get_all(proxy.assertion_header)
        networks = (ipaddress.ip_network(cidr, strict=False) for cidr in proxy.trusted_peer_cidrs)
        return len(asserted) == 1 and bool(asserted[0].strip()) and any(peer in n for n in networks)

    # --- plain requests ---------------------------------------------------------------------------

    def _issue(self, link: Link, headers: Headers) -> Response:
        if self._secret:
            if not _same(_shown(headers), self._secret):
                return _text(401, "Unauthorized")
        elif not self._is_local(link, headers):
            return _refuse(403, "without tokenIssueSecret, tokens are issued on this machine only")
        else:
            self._log.warning("token_issued_without_secret", remedy="set tokenIssueSecret")
        try:
            token = self._tokens.issue(Audience.CLIENT)
        except TooManyTokens:
            return _json(429, {"error": "too many outstanding tokens"})
        return _json(200, {"token": token, "expires_in": self._config.token_ttl_s})

    def _bootstrap(self, link: Link, headers: Headers) -> Response:
        answer: dict[str, object] = {}
        if not self._comes_from_proxy(link, headers):
            if self._secret:
                if not _same(_shown(headers), self._secret):
                    return _text(401, "Unauthorized")
            elif not self._is_local(link, headers):
                return _refuse(403, "bootstrap is localhost-only")
            try:
                answer["token"] = self._tokens.issue(Audience.WEBUI)
                answer["api_token"] = self._tokens.issue(Audience.API)
            except TooManyTokens:
                return _json(429, {"error": "too many outstanding tokens"})
            answer["expires_in"] = self._config.token_ttl_s
        answer |= {
            "ws_path": self._config.path,
            "ws_url": self._url(headers),
            "limits": {
                "transport": {
                    "max_frame_bytes": self._config.max_message_bytes,
                    "envelope_reserve_bytes": _ENVELOPE,
                },
                "message": {"max_text_bytes": LONGEST_TEXT},
                "attachments": {
                    "max_count": uploads.MOST_FILES,
                    "max_file_bytes": uploads.FILE_BYTES,
                    "max_total_bytes": uploads.TOTAL_BYTES,
                },
            },
            "model_name": "",
            "runtime_surface": "browser",
            "runtime_capabilities": dict.fromkeys(_NATIVE, False),
        }
        return _json(200, answer)

    def _url(self, headers: Headers) -> str:
        if self._config.public_ws_url:
            return self._config.public_ws_url
        proxied = _one(headers, "X-Forwarded-Proto").lower() in ("https", "wss")
        scheme = "wss" if proxied or self._config.ssl_certfile else "ws"
        return f"{scheme}://{headers['Host']}{self._config.path}"

    async def _media(self, route: str) -> Response:
        path = self._downloads.find(route)
        content = await asyncio.to_thread(_read, path) if path else None
        if path is None or content is None:
            return _json(404, {"error": "not found"})
        return _respond(200, content, Downloads.headers(path))


_LOOPBACKS = ("localhost", "127.0.0.1", "[::1]")


def _host_names(config: WebSocketConfig) -> frozenset[str]:
    """Return the names by which a client may call this server, beside those of the loopback."""
    names = {name.lower() for name in config.allowed_hosts}
    if config.host not in WILDCARDS:
        names.add(f"[{config.host}]" if ":" in config.host else config.host.lower())
    else:
        own = socket.gethostname().lower()
        names |= {own, f"{own}.local"}
    if config.public_ws_url:
        public = urlsplit(config.public_ws_url).hostname or ""
        names.add(f"[{public}]" if ":" in public else public)
    return frozenset(names)


def _origins(config: WebSocketConfig) -> frozenset[str]:
    origins = set(config.allowed_origins)
    if config.public_ws_url:
        url = urlsplit(config.public_ws_url)
        origins.add(f"{'https' if url.scheme == 'wss' else 'http'}://{url.netloc.lower()}")
    return frozenset(origins)


def _is_unicast(name: str) -> bool:
    try:
        address = ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return not (address.is_unspecified or address.is_multicast or address.is_reserved)


def _names_loopback(name: str) -> bool:
    """Tell whether a host, with or without a port, is this machine for itself."""
    found = _HOST.fullmatch(name)
    return is_loopback(found["name"] if found else name)


def _peer(link: Link) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address of the other end; None over a Unix socket."""
    address = link.remote_address
    if not isinstance(address, tuple):
        return None
    peer = ipaddress.ip_address(str(address[0]).partition("%")[0])
    return getattr(peer, "ipv4_mapped", None) or peer


def _wants_socket(headers: Headers) -> bool:
    return _one(headers, "Upgrade").lower() == "websocket"


def _one(headers: Headers, name: str) -> str:
    """Return a header that is sent once; several give something that equals none."""
    return ", ".join(headers.get_all(name)).strip()


def _only(asked: Mapping[str, list[str]], name: str) -> str:
    values = asked.get(name, [])
    return values[0] if len(values) == 1 else ""


def _shown(headers: Headers) -> str:
    """Return the secret that a request shows in a header."""
    own = headers.get_all("X-Nanobot-Auth")
    if own:
        return own[0].strip()
    kind, _, value = (headers.get_all("Authorization") or [""])[0].partition(" ")
    return value.strip() if kind.lower() == "bearer" else ""


def _same(shown: str, secret: Secret | None) -> bool:
    if not secret:
        return False
    return hmac.compare_digest(
        shown.encode("utf-8", "replace"), secret.reveal().encode("utf-8", "replace")
    )


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _refuse(status: int, error: str) -> Response:
    return _json(status, {"error": error})


def _json(status: int, content: Mapping[str, object]) -> Response:
    return _respond(status, json.dumps(content).encode(), {"Content-Type": "application/json"})


def _text(status: int, text: str) -> Response:
    return _respond(status, text.encode(), {"Content-Type": "text/plain; charset=utf-8"})


def _respond(status: int, body: bytes, headers: Mapping[str, str]) -> Response:
    made = Headers(
        {
            "Content-Length": str(len(body)),
            "Connection": "close",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            **headers,
        }
    )
    return Response(status, HTTPStatus(status).phrase, made, body)
