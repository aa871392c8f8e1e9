from collections.abc import Sequence

from nanobot_testing.contracts.search import Found, SearchContract
from nanobot_testing.servers.wire import Reply, json_reply


class TestKeenable(SearchContract):
    plugin = "search.keenable"
    env_keys = ("KEENABLE_API_KEY",)
    needs_key = False
    key_header = "x-api-key"

    def reply(self, results: Sequence[Found]) -> Reply:
        found = [
            {"title": one.title, "url": one.url, "snippet": one.snippet, "description": ""}
            for one in results
        ]
        return json_reply({"results": found})
