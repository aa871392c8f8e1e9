"""Which names the server answers to, and which pages may call it.

A page of any web site can send requests to addresses that its visitor reaches, this machine
included. Browsers say where a request comes from, in ``Host``, ``Origin`` and ``Sec-Fetch-Site``;
what they say is compared as a whole, never in part. Headers of proxies are not believed.
"""

from __future__ import annotations

from collections.abc import Iterable

from nanobot_service_http.answers import Refused
from nanobot_service_http.head import Head

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - what these mean, not what is listened on


class Names:
    """The names of one server.

    Args:
        host: What it listens on.
        port: Its port; a name in ``Host`` has this port or none.
        hosts: Further names, with a port of their own or without.
        origins: Origins that may call it though they are not its own.
    """

    def __init__(
        self, host: str, port: int, hosts: Iterable[str] = (), origins: Iterable[str] = ()
    ) -> None:
        self._port = port
        self._origins = frozenset(origins)
        own = () if host in _EVERYWHERE else (bracketed(host.lower()),)
        self._hosts = {form for name in (*_LOOPBACK, *own, *hosts) for form in self._forms(name)}

    def check(self, head: Head) -> None:
        """Refuse what a browser sends for a page that is not the server's own.

        Raises:
            Refused: With status 403.
        """
        host = _host(head)
        if not self.knows(head):
            raise Refused(
                403, "The request's Host is not a name of this server; see gateway.allowedHosts."
            )
        origin = head.one(b"origin")
        if origin is not None:
            told = origin.decode("latin-1")
            if told in self._origins:
                return
            if told not in (f"http://{host}", f"https://{host}"):
                raise Refused(
                    403,
                    "Pages of this origin may not call this server; see gateway.allowedOrigins.",
                )
        if head.one(b"sec-fetch-site") not in (None, b"same-origin", b"none"):
            raise Refused(403, "Pages of other sites may not call this server.")

    def knows(self, head: Head) -> bool:
        """Tell whether a request calls the server by one of its names."""
        # Who reached an address and names that very address was not led there by a name.
        reached = self._forms(bracketed(head.server[0])) if head.server[0] else ()
        return _host(head) in (*self._hosts, *reached)

    def _forms(self, name: str) -> tuple[str, ...]:
        return (name, f"{name}:{self._port}")


def _host(head: Head) -> str:
    return (head.one(b"host") or b"").decode("latin-1").lower()


def bracketed(address: str) -> str:
    """Return an address as it is written in a URL."""
    address = address.removeprefix("::ffff:") if "." in address else address
    return f"[{address}]" if ":" in address else address
