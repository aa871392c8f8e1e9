from collections.abc import Sequence
from pathlib import Path

import pytest
from nanobot.specs import Spec
from nanobot_testing.contracts.search import Found, SearchContract
from nanobot_testing.servers.wire import Reply, json_reply


class TestVolcengine(SearchContract):
    plugin = "search.volcengine"
    env_keys = ("VOLCENGINE_SEARCH_API_KEY", "WEB_SEARCH_API_KEY")

    def reply(self, results: Sequence[Found]) -> Reply:
        found = [
            {"Id": "i", "Title": one.title, "Url": one.url, "Snippet": "", "Summary": one.snippet}
            for one in results
        ]
        return json_reply(
            {
                "ResponseMetadata": {"RequestId": "r"},
                "Result": {"ResultCount": len(found), "WebResults": found or None},
            }
        )

    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            ("InvalidApiKey", "unauthorized"),
            ("FlowLimitExceeded", "rate_limited"),
            ("QuotaExceeded", "quota"),
            ("InternalError", "bad_answer"),
        ],
    )
    def test_an_error_within_a_good_answer(
        self, spec: Spec, tmp_path: Path, code: str, kind: str
    ) -> None:
        error = {"CodeN": 1, "Code": code, "Message": "words of the vendor"}
        reply = json_reply({"ResponseMetadata": {"RequestId": "r", "Error": error}, "Result": None})
        failed, _ = self._fails(spec, tmp_path, reply)
        assert failed.kind == kind
        assert code in failed.message
