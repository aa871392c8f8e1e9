from collections.abc import Sequence

from nanobot_testing.contracts.search import Found, SearchContract
from nanobot_testing.servers.wire import Reply, json_reply


class TestJina(SearchContract):
    plugin = "search.jina"
    env_keys = ("JINA_API_KEY",)

    def reply(self, results: Sequence[Found]) -> Reply:
        found = [
            {"title": one.title, "url": one.url, "description": one.snippet, "content": ""}
            for one in results
        ]
        return json_reply({"code": 200, "status": 20000, "data": found})
