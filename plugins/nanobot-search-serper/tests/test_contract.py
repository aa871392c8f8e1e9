from collections.abc import Sequence

from nanobot_testing.contracts.search import Found, SearchContract
from nanobot_testing.servers.wire import Reply, json_reply


class TestSerper(SearchContract):
    plugin = "search.serper"
    env_keys = ("SERPER_API_KEY",)
    key_header = "x-api-key"

    def reply(self, results: Sequence[Found]) -> Reply:
        found = [
            {"title": one.title, "link": one.url, "snippet": one.snippet, "position": number}
            for number, one in enumerate(results, 1)
        ]
        return json_reply({"searchParameters": {"q": "q"}, "organic": found, "credits": 1})
