"""Every URL of the corpora is handled as it must be, judged at the socket."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nanobot.errors import BlockedAddress, ToolError
from nanobot_egress.addresses import refusal
from nanobot_testing import run

CORPORA = Path(__file__).parent / "corpora"
ITEMS = [
    item
    for name in ("ssrf_urls.json", "more_urls.json")
    for item in json.loads((CORPORA / name).read_text())["items"]
]


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: f"{item['id']}-{item['class']}")
def test_url(item: dict[str, Any], box: Any, opened: Callable[..., Any], says: Any) -> None:
    names = {name: [list(one) for one in answers] for name, answers in item.get("dns", {}).items()}
    box.dns = {"localhost": [["127.0.0.1", "::1"]], **names}
    box.answers.extend(says.redirect(location) for location in item.get("redirects", ()))
    box.answers.append(says.ok())
    hosts = {"example.com", "xn--bcher-kva.example", "dual.example", *box.dns} - {"a_b.example.com"}
    literals = ("172.15.255.255", "100.128.0.1", "169.253.255.255", "8.8.8.8", "2606:4700::1111")

    async def fetch() -> int:
        async with opened(*hosts, *literals), box.egress() as egress:
            return int((await egress.fetch(item["input"], deadline_s=5)).status)

    if item["expected"] == "allow":
        assert run(fetch()) == 200
    else:
        with pytest.raises(ToolError) as caught:
            run(fetch())
        kinds = {"blocked_address", "bad_url", "unknown_host", "redirected"}
        assert caught.value.kind in item.get("kinds", kinds)
        if caught.value.kind == "blocked_address":
            assert isinstance(caught.value, BlockedAddress)
            assert "tools.ssrfWhitelist" in caught.value.remedy
    for address, _ in box.connected:
        assert refusal(ipaddress.ip_address(address)) == ""
    for asked in box.asked:
        assert "secret" not in json.dumps(asked.headers).lower() or len(box.asked) == 1
