"""Who gets in: names, origins, tokens, proxies, and the requests that are no WebSocket."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nanobot import log
from nanobot_channel_websocket import tokens as tokens_module
from nanobot_gateway.channel import DeliveryError

PROXY = {"trustedPeerCidrs": ["127.0.0.1/32"], "assertionHeader": "X-Auth-User"}


def status(go: Any, path: str, headers: dict[str, str] | None = None, **settings: Any) -> int:
    async def work(lab: Any) -> int:
        return int((await lab.request(path, headers, upgrade=True))[0])

    return int(go(work, **settings))


# --- names and origins --------------------------------------------------------------------------


def test_origin_host_corpus(go: Any, token: str, origin_host_row: dict[str, Any]) -> None:
    """Refused before any token is looked at, and before one is minted."""

    async def work(lab: Any) -> tuple[int, int]:
        here = {"8765": str(lab.port)}
        headers = {
            name: value.replace("8765", here["8765"])
            for name, value in origin_host_row["input"].items()
        }
        opened = await lab.request(f"/?token={token}", headers, upgrade=True)
        bootstrap = await lab.request(
            "/webui/bootstrap", {**headers, "Authorization": f"Bearer {token}"}
        )
        return opened[0], bootstrap[0]

    expected = (101, 200) if origin_host_row["expected"] == "allow" else (403, 403)
    assert go(work) == expected


def test_foreign_pages_are_refused_without_any_token_too(go: Any) -> None:
    headers = {"Origin": "https://evil.example"}
    anonymous = {"token": None, "websocketRequiresToken": False}
    assert status(go, "/", headers, **anonymous) == 403
    assert status(go, "/", **anonymous) == 101


def test_two_hosts_or_two_origins_are_refused(go: Any, token: str) -> None:
    async def work(lab: Any) -> list[int]:
        found = []
        own = f"http://127.0.0.1:{lab.port}"
        for extra in (f"Host: 127.0.0.1:{lab.port}", f"Origin: {own}\r\nOrigin: {own}"):
            reader, writer = await lab.streams()
            head = f"GET /?token={token} HTTP/1.1\r\nHost: 127.0.0.1:{lab.port}\r\n{extra}\r\n\r\n"
            writer.write(head.encode())
            found.append(int((await reader.readline()).split()[1]))
        return found

    assert go(work) == [403, 403]


def test_a_configured_name_and_origin_are_known(go: Any, token: str) -> None:
    page = {"Origin": "https://pages.example"}
    assert status(go, f"/?token={token}", page, allowedOrigins=["https://pages.example"]) == 101
    named = {"Host": "bot.lan:9000"}
    assert status(go, f"/?token={token}", named) == 403
    assert status(go, f"/?token={token}", named, allowedHosts=["bot.lan"]) == 101
    public = {"Host": "chat.example.org", "Origin": "https://chat.example.org"}
    url = "wss://chat.example.org/"
    assert status(go, f"/?token={token}", public, publicWsUrl=url) == 101


def test_a_wildcard_address_is_reached_by_numbers_and_the_own_name(go: Any, token: str) -> None:
    anywhere = {"host": "0.0.0.0"}
    assert status(go, f"/?token={token}", {"Host": "192.168.7.7:8765"}, **anywhere) == 101
    assert status(go, f"/?token={token}", {"Host": "evil.example"}, **anywhere) == 403
    assert status(go, f"/?token={token}", {"Host": "0.0.0.0:8765"}, **anywhere) == 403


# --- the handshake ------------------------------------------------------------------------------


def test_tokens_of_the_handshake(go: Any, token: str) -> None:
    async def work(lab: Any) -> dict[str, int]:
        bearer = {"Authorization": f"Bearer {token}"}
        asked = {
            "none": ("/", {}),
            "wrong": ("/?token=wrong", {}),
            "upper": (f"/?token={token.upper()}", {}),
            "longer": (f"/?token={token}%00", {}),
            "twice": (f"/?token={token}&token={token}", {}),
            "static": (f"/?token={token}", {}),
            "header": ("/", bearer),
            "mismatch": (f"/other?token={token}", {}),
        }
        return {
            name: (await lab.request(path, headers, upgrade=True))[0]
            for name, (path, headers) in asked.items()
        }

    assert go(work) == {
        **dict.fromkeys(("none", "wrong", "upper", "longer", "twice"), 401),
        "static": 101,
        "header": 101,
        "mismatch": 404,
    }


def test_an_issued_token_opens_one_connection(go: Any, token: str) -> None:
    async def work(lab: Any) -> list[int]:
        secret = {"Authorization": f"Bearer {token}"}
        found, headers, body = await lab.request("/issue", secret)
        issued = json.loads(body)
        assert found == 200 and headers["cache-control"] == "no-store"
        assert issued["token"].startswith("nbwt_") and issued["expires_in"] == 300
        path = f"/?token={issued['token']}"
        return [(await lab.request(path, upgrade=True))[0] for _ in range(2)]

    assert go(work, tokenIssuePath="/issue") == [101, 401]


def test_an_issued_token_expires(go: Any, token: str) -> None:
    async def work(lab: Any) -> int:
        _, _, body = await lab.request("/issue", {"X-Nanobot-Auth": token})
        lab.clock.time += 31
        path = f"/?token={json.loads(body)['token']}"
        return int((await lab.request(path, upgrade=True))[0])

    assert go(work, tokenIssuePath="/issue", tokenTtlS=30) == 401


@pytest.mark.parametrize("kind", ["Authorization", "X-Nanobot-Auth"])
def test_the_issue_route_asks_for_its_own_secret(go: Any, token: str, kind: str) -> None:
    async def work(lab: Any) -> list[int]:
        found = []
        for shown in ("", token, "the-issue-secret"):
            value = f"Bearer {shown}" if kind == "Authorization" else shown
            found.append((await lab.request("/issue", {kind: value}))[0])
        return found

    assert go(work, tokenIssuePath="/issue", tokenIssueSecret="the-issue-secret") == [401, 401, 200]


def test_without_a_secret_tokens_are_issued_here_only(go: Any) -> None:
    async def work(lab: Any) -> list[int]:
        far = {"X-Forwarded-For": "203.0.113.9"}
        return [(await lab.request("/issue", headers))[0] for headers in ({}, far)]

    assert go(work, tokenIssuePath="/issue", token=None) == [200, 403]


def test_so_many_tokens_and_no_more(go: Any, token: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(tokens_module, "MOST", 2)

    async def work(lab: Any) -> list[int]:
        secret = {"Authorization": f"Bearer {token}"}
        found = [(await lab.request("/issue", secret))[0] for _ in range(3)]
        status, _, body = await lab.request("/webui/bootstrap", secret)
        assert json.loads(body) == {"error": "too many outstanding tokens"}
        lab.clock.time += 301
        return [*found, status, (await lab.request("/issue", secret))[0]]

    assert go(work, tokenIssuePath="/issue") == [200, 200, 429, 429, 200]


def test_anonymous_clients_only_where_that_is_wanted(go: Any) -> None:
    assert status(go, "/", token=None) == 401
    assert status(go, "/", token=None, websocketRequiresToken=False) == 101
    assert status(go, "/", websocketRequiresToken=False) == 401, "a token that is set is asked for"


# --- who it is ----------------------------------------------------------------------------------


def test_allow_from_corpus(go: Any, token: str, allow_from_row: dict[str, Any]) -> None:
    """The client_id is the one identity; no other name of a sender counts."""
    given = allow_from_row["input"]
    sender = str(given["sender"].get("id", given["sender"].get("header_from", "")))
    listed = {"allowFrom": given["allowFrom"]} if "allowFrom" in given else {}

    async def work(lab: Any) -> tuple[int, int]:
        path = f"/?client_id={sender.replace('+', '%2B').replace(' ', '%20')}"
        with_token = await lab.request(f"{path}&token={token}", upgrade=True)
        return with_token[0], (await lab.request(path, upgrade=True))[0]

    admitted, without_token = go(work, **listed)
    assert without_token in (401, 403)
    if not listed:
        assert admitted == 101, "by default, who holds the token is the owner"
    else:
        exact = sender in given["allowFrom"] or "*" in given["allowFrom"]
        assert admitted == (101 if exact else 403)
        assert exact is False or allow_from_row["expected"].startswith("allow")


@pytest.mark.parametrize("client", ["*", "%20a", "a%00b", "%E2%80%AEx"])
def test_a_client_id_must_be_a_name(go: Any, token: str, client: str) -> None:
    assert status(go, f"/?client_id={client}&token={token}") == 403


def test_client_ids_are_cut_and_made_up(go: Any, token: str) -> None:
    async def work(lab: Any) -> tuple[str, str]:
        long = await lab.connect(f"token={token}&client_id={'x' * 500}")
        await long.ask({"type": "message", "chat_id": "c", "content": "a", "turn_id": "1"})
        none = await lab.connect()
        await none.ask({"type": "message", "chat_id": "c", "content": "a", "turn_id": "2"})
        return tuple(message.sender for message in lab.host.messages)

    long, none = go(work)
    assert long == "x" * 128
    assert none.startswith("anon-") and len(none) == 17


def test_an_owner_may_connect_without_being_listed_twice(go: Any, token: str) -> None:
    settings = {"allowFrom": ["alice"], "owners": ["bob|Bob B."]}
    assert status(go, f"/?client_id=bob&token={token}", **settings) == 101
    assert status(go, f"/?client_id=eve&token={token}", **settings) == 403


def test_a_trusted_proxy_is_asked_for_its_assertion(go: Any) -> None:
    said = {"X-Auth-User": "alice"}
    assert status(go, "/", said, trustedProxyAuth=PROXY) == 101
    assert status(go, "/", trustedProxyAuth=PROXY) == 401
    assert status(go, "/", {"X-Auth-User": " "}, trustedProxyAuth=PROXY) == 401
    elsewhere = {**PROXY, "trustedPeerCidrs": ["10.0.0.0/8"]}
    assert status(go, "/", said, trustedProxyAuth=elsewhere) == 401


def test_a_proxy_gets_a_bootstrap_without_tokens(go: Any) -> None:
    async def work(lab: Any) -> dict[str, Any]:
        _, _, body = await lab.request("/webui/bootstrap", {"X-Auth-User": "alice"})
        return dict(json.loads(body))

    answer = go(work, trustedProxyAuth=PROXY)
    assert {"token", "api_token", "expires_in"}.isdisjoint(answer)
    assert answer["ws_path"] == "/"


# --- bootstrap ----------------------------------------------------------------------------------


def test_bootstrap_names_what_a_client_needs(go: Any, token: str) -> None:
    async def work(lab: Any) -> None:
        found, headers, body = await lab.request("/webui/bootstrap")
        assert found == 200 and headers["cache-control"] == "no-store"
        answer = json.loads(body)
        assert answer.pop("token").startswith("nbwt_")
        assert answer.pop("api_token").startswith("nbwt_")
        assert answer == {
            "ws_path": "/chat",
            "ws_url": f"ws://127.0.0.1:{lab.port}/chat",
            "expires_in": 300,
            "limits": {
                "transport": {"max_frame_bytes": 37748736, "envelope_reserve_bytes": 65536},
                "message": {"max_text_bytes": 65536},
                "attachments": {
                    "max_count": 4,
                    "max_file_bytes": 6291456,
                    "max_total_bytes": 25165824,
                },
            },
            "model_name": "",
            "runtime_surface": "browser",
            "runtime_capabilities": {
                "can_restart_engine": False,
                "can_pick_folder": False,
                "can_open_logs": False,
                "can_export_diagnostics": False,
            },
        }

    go(work, token=None, path="/chat/")


def test_bootstrap_is_for_this_machine_or_the_secret(go: Any, token: str) -> None:
    async def work(lab: Any) -> list[int]:
        tries = [
            {"X-Forwarded-For": "127.0.0.1, 203.0.113.9"},
            {"X-Forwarded-Host": "chat.example.org"},
            {"X-Real-IP": "203.0.113.9"},
            {"Forwarded": "for=203.0.113.9;proto=https"},
            {"X-Forwarded-For": "127.0.0.1", "Forwarded": 'for="[::1]:4711";host=localhost'},
        ]
        return [(await lab.request("/webui/bootstrap", headers))[0] for headers in tries]

    assert go(work, token=None) == [403, 403, 403, 403, 200]

    async def with_secret(lab: Any) -> list[int]:
        tries = [{}, {"X-Nanobot-Auth": "wrong"}, {"Authorization": f"Bearer {token}"}]
        return [(await lab.request("/webui/bootstrap", headers))[0] for headers in tries]

    assert go(with_secret) == [401, 401, 200]


def test_bootstrap_knows_the_public_address(go: Any) -> None:
    async def work(lab: Any) -> str:
        _, _, body = await lab.request("/webui/bootstrap", {"X-Forwarded-Proto": "https"})
        return str(json.loads(body)["ws_url"]).replace(str(lab.port), "PORT")

    assert go(work, token=None) == "wss://127.0.0.1:PORT/"
    public = "wss://chat.example.org/bot"
    assert go(work, token=None, path="/bot", publicWsUrl=public) == public


def test_a_token_of_the_bootstrap_makes_a_connection_trusted(go: Any, token: str) -> None:
    async def work(lab: Any) -> list[int]:
        _, _, body = await lab.request("/webui/bootstrap", {"X-Nanobot-Auth": token})
        trusted = await lab.connect(f"token={json.loads(body)['token']}")
        request = {"type": "webui_request", "request_id": "r1", "action": "a.b", "payload": {}}
        answers = [await client.ask(request) for client in (trusted, await lab.connect())]
        return [answer["error"]["status"] for answer in answers]

    assert go(work) == [501, 403]


def test_a_token_for_requests_opens_no_connection(go: Any, token: str) -> None:
    async def work(lab: Any) -> int:
        _, _, body = await lab.request("/webui/bootstrap", {"X-Nanobot-Auth": token})
        path = f"/?token={json.loads(body)['api_token']}"
        return int((await lab.request(path, upgrade=True))[0])

    assert go(work) == 401


# --- other requests -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/x", "/api/sessions", "//evil.example/", "/?token=x"])
def test_other_requests_find_nothing(go: Any, path: str) -> None:
    async def work(lab: Any) -> tuple[int, Any]:
        found, _, body = await lab.request(path)
        return found, json.loads(body)

    assert go(work) == (404, {"error": "not found"})


def test_a_file_that_is_sent_can_be_fetched(go: Any, tmp_path: Path) -> None:
    async def work(lab: Any) -> None:
        picture, page = tmp_path / "plot.png", tmp_path / "page.html"
        picture.write_bytes(b"\x89PNG and more")
        page.write_text("<script>alert(1)</script>")
        client = await lab.connect()
        await client.attach("c1")
        await lab.send("c1", "See:", files=(picture, page))
        event = await client.next()
        assert event["text"] == "See:"
        first, second = event["media_urls"]
        assert (first["name"], first["kind"]) == ("plot.png", "image")
        assert str(tmp_path) not in json.dumps(event)
        found, headers, body = await lab.request(first["url"])
        assert (found, headers["content-type"], body) == (200, "image/png", b"\x89PNG and more")
        found, headers, _ = await lab.request(second["url"])
        assert headers["content-type"] == "application/octet-stream", "nothing runs in a browser"
        assert headers["content-disposition"] == "attachment"
        assert "sandbox" in headers["content-security-policy"]
        for wrong in (first["url"][:-20], first["url"] + "/x", "/api/media/../../etc/passwd"):
            assert (await lab.request(wrong))[0] == 404
        picture.unlink()
        assert (await lab.request(first["url"]))[0] == 404

    go(work)


def test_a_file_that_is_not_there_is_no_delivery(go: Any, tmp_path: Path) -> None:
    async def work(lab: Any) -> None:
        with pytest.raises(DeliveryError) as caught:
            await lab.send("c1", "See:", files=(tmp_path / "gone.pdf",))
        assert not caught.value.retryable and "gone.pdf" in str(caught.value)

    go(work)


def test_secrets_are_masked_and_the_library_logs_no_url(go: Any, token: str, caplog: Any) -> None:
    async def work(lab: Any) -> None:
        await lab.request("/?token=guessed-token-1", upgrade=True)
        await lab.raw()

    with caplog.at_level("DEBUG"):
        go(work)
    assert token not in caplog.text and "guessed-token-1" not in caplog.text
    assert log.redact(f"the secret is {token}") == "the secret is ***"
