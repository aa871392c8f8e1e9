from collections.abc import Sequence

from nanobot_testing.contracts.search import Found, SearchContract
from nanobot_testing.servers.wire import Reply, json_reply


class TestBrave(SearchContract):
    plugin = "search.brave"
    env_keys = ("BRAVE_API_KEY",)
    key_header = "x-subscription-token"

    def reply(self, results: Sequence[Found]) -> Reply:
        found = [
            {
                "type": "search_result",
                "title": one.title,
                "url": one.url,
                "description": one.snippet,
            }
            for one in results
        ]
        web = {"web": {"type": "search", "results": found}} if found else {}
        return json_reply({"type": "search", "query": {"original": "q"}, **web})

    def refusal(self) -> Reply:
        error = {"code": "SUBSCRIPTION_TOKEN_INVALID", "status": 422}
        return json_reply({"type": "ErrorResponse", "error": error}, status=422)
