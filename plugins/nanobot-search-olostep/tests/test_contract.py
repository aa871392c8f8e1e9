from collections.abc import Sequence

from nanobot_testing.contracts.search import Found, SearchContract
from nanobot_testing.servers.wire import Reply, json_reply


class TestOlostep(SearchContract):
    plugin = "search.olostep"
    env_keys = ("OLOSTEP_API_KEY",)

    def reply(self, results: Sequence[Found]) -> Reply:
        links = [
            {"url": one.url, "title": one.title, "description": one.snippet} for one in results
        ]
        result = {"json_content": "{}", "links": links, "credits_consumed": 1}
        return json_reply(
            {"id": "search_1", "object": "search", "created": 1, "query": "q", "result": result}
        )
