from collections.abc import Mapping

from nanobot_testing.contracts.fetch import FetchContract
from nanobot_testing.servers.wire import Reply, json_reply


class TestJina(FetchContract):
    plugin = "fetch.jina"

    def section(self, base_url: str) -> Mapping[str, object]:
        return {"baseUrl": base_url}

    def reply(self, text: str) -> Reply:
        data = {"title": "A title", "url": "https://example.org/article", "content": text}
        return json_reply({"code": 200, "status": 20000, "data": data})
