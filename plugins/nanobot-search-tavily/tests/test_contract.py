from collections.abc import Sequence

from nanobot_testing.contracts.search import Found, SearchContract
from nanobot_testing.servers.wire import Reply, json_reply


class TestTavily(SearchContract):
    plugin = "search.tavily"
    env_keys = ("TAVILY_API_KEY",)

    def reply(self, results: Sequence[Found]) -> Reply:
        found = [
            {"title": one.title, "url": one.url, "content": one.snippet, "score": 0.9}
            for one in results
        ]
        return json_reply({"query": "q", "answer": None, "images": [], "results": found})
