from collections.abc import Sequence

from nanobot_testing.contracts.search import Found, SearchContract
from nanobot_testing.servers.wire import Reply, json_reply


class TestExa(SearchContract):
    plugin = "search.exa"
    env_keys = ("EXA_API_KEY",)
    key_header = "x-api-key"

    def reply(self, results: Sequence[Found]) -> Reply:
        found = [
            {"id": one.url, "title": one.title, "url": one.url, "highlights": [one.snippet]}
            for one in results
        ]
        return json_reply({"requestId": "r", "resolvedSearchType": "neural", "results": found})
