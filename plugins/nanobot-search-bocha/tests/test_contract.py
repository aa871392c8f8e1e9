from collections.abc import Sequence

from nanobot_testing.contracts.search import Found, SearchContract
from nanobot_testing.servers.wire import Reply, json_reply


class TestBocha(SearchContract):
    plugin = "search.bocha"
    env_keys = ("BOCHA_API_KEY",)

    def reply(self, results: Sequence[Found]) -> Reply:
        found = [
            {"name": one.title, "url": one.url, "snippet": one.snippet, "summary": one.snippet}
            for one in results
        ]
        pages = {"webPages": {"totalEstimatedMatches": len(found), "value": found}}
        return json_reply({"code": 200, "log_id": "l", "msg": None, "data": pages})

    def refusal(self) -> Reply:
        error = {"code": "401", "message": "Invalid API KEY", "log_id": "l"}
        return json_reply(error, status=401)
