"""An OAuth issuer: device codes, authorization codes with PKCE, tokens that are renewed.

It checks what a real issuer checks (RFC 6749, 7636, 8628): a code is good once and only with its
verifier, its client and its redirect address; a refresh token is good once.
"""

from __future__ import annotations

import base64
import hashlib
from collections import deque
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from nanobot_testing.servers.wire import Reply, Request, ScriptedServer, json_reply


class IssuerServer(ScriptedServer):
    """An issuer with one client; use as ``async with IssuerServer() as issuer``.

    Attributes:
        lifetime: Seconds that tokens last, None to tell nothing.
        interval: Seconds between two polls of the device flow.
        device_answers: Error codes for the next polls of the device flow; then it is agreed to.
        outages: HTTP statuses for the next requests to the token endpoint.
        access: The access tokens that are good.
        identity: The id token to send, empty for none.
    """

    client_id = "test-client"

    def __init__(self) -> None:
        super().__init__()
        self.lifetime: float | None = 3600
        self.interval = 5
        self.device_answers: deque[str] = deque()
        self.outages: deque[int] = deque()
        self.access: set[str] = set()
        self.identity = ""
        self._codes: dict[str, dict[str, str]] = {}
        self._refresh: set[str] = set()
        self._made = 0

    def agree(self, address: str) -> str:
        """Do what a user does who agrees on the page; return where the browser is sent."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256"
        assert asked["client_id"] == self.client_id and len(asked["state"]) >= 22
        code = self._new("code")
        self._codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def decline(self, address: str) -> str:
        """Do what a user does who declines; return where the browser is sent."""
        asked = parse_qs(urlsplit(address).query)
        query = {"error": "access_denied", "state": asked["state"][0]}
        return f"{asked['redirect_uri'][0]}?{urlencode(query)}"

    def revoke(self) -> None:
        """Take back all access tokens, though their time is not over."""
        self.access.clear()

    def forget(self) -> None:
        """Take back the refresh tokens too."""
        self.revoke()
        self._refresh.clear()

    def guard(self, server: ScriptedServer) -> None:
        """Let a server of the vendor answer only requests with an access token that is good."""
        answer = server.answer

        def guarded(request: Request) -> Reply:
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            refusal = {"error": {"message": "Unauthorized", "code": "invalid_token"}}
            return answer(request) if given in self.access else json_reply(refusal, status=401)

        server.answer = guarded  # type: ignore[method-assign]

    def answer(self, request: Request) -> Reply:
        """Answer as an issuer does."""
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if request.method != "POST" or form.get("client_id") != self.client_id:
            return _refuse("invalid_client", status=401)
        if "grant_type" not in form:
            return json_reply(
                {
                    "device_code": self._new("device"),
                    "user_code": "ABCD-1234",
                    "verification_uri": f"{self.base_url}/activate",
                    "interval": self.interval,
                    "expires_in": 900,
                }
            )
        if self.outages:
            return Reply(status=self.outages.popleft(), body=[b"<html>down</html>"])
        code = self._fault(form)
        return _refuse(code) if code else self._grant()

    def _fault(self, form: dict[str, str]) -> str:
        """Say why a request for tokens is refused; empty when it is not."""
        match form.get("grant_type"):
            case "refresh_token":
                known = form["refresh_token"] in self._refresh
                self._refresh.discard(form["refresh_token"])
                return "" if known else "invalid_grant"
            case "authorization_code":
                asked = self._codes.pop(form["code"], {})
                digest = hashlib.sha256(form["code_verifier"].encode()).digest()
                challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
                same = asked.get("redirect_uri") == form["redirect_uri"]
                good = same and asked["code_challenge"] == challenge
                return "" if good else "invalid_grant"
            case "urn:ietf:params:oauth:grant-type:device_code":
                return self.device_answers.popleft() if self.device_answers else ""
        return "unsupported_grant_type"

    def _grant(self) -> Reply:
        access, refresh = self._new("access"), self._new("refresh")
        self.access.add(access)
        self._refresh.add(refresh)
        said: dict[str, Any] = {"access_token": access, "refresh_token": refresh}
        if self.lifetime is not None:
            said["expires_in"] = self.lifetime
        if self.identity:
            said["id_token"] = self.identity
        return json_reply({**said, "token_type": "bearer"})

    def _new(self, kind: str) -> str:
        self._made += 1
        return f"{kind}-CANARY-{self._made:06d}"


def _refuse(code: str, *, status: int = 400) -> Reply:
    words = f"{code}: CANARY-WORDS of the issuer"
    return json_reply({"error": code, "error_description": words}, status=status)
