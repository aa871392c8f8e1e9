from collections.abc import Sequence

from nanobot_testing.contracts.search import Found, SearchContract
from nanobot_testing.servers.wire import Reply, json_reply


class TestKagi(SearchContract):
    plugin = "search.kagi"
    env_keys = ("KAGI_API_KEY",)

    def reply(self, results: Sequence[Found]) -> Reply:
        found = [{"url": one.url, "title": one.title, "snippet": one.snippet} for one in results]
        return json_reply({"meta": {"id": "m", "ms": 1}, "data": {"search": found}})


class TestKagiList(TestKagi):
    """The older form of the answer: all kinds of results in one list."""

    def reply(self, results: Sequence[Found]) -> Reply:
        found = [
            {"t": 0, "url": one.url, "title": one.title, "snippet": one.snippet} for one in results
        ]
        related = [{"t": 1, "list": ["other words"]}]
        return json_reply({"meta": {"id": "m", "ms": 1}, "data": [*found, *related]})
