from collections.abc import Sequence

from nanobot_testing.contracts.search import Found, SearchContract
from nanobot_testing.servers.wire import Reply, json_reply


class TestSearxng(SearchContract):
    plugin = "search.searxng"
    needs_key = False
    key_header = ""

    def reply(self, results: Sequence[Found]) -> Reply:
        found = [
            {"title": one.title, "url": one.url, "content": one.snippet, "engine": "x"}
            for one in results
        ]
        return json_reply({"query": "q", "number_of_results": 0, "results": found})
