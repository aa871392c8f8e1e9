from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from nanobot_testing.contracts.search import Found, SearchContract
from nanobot_testing.servers.wire import Reply

ITEM = """<div class="result results_links results_links_deep web-result">
<div class="links_main links_deep result__body"><h2 class="result__title">
<a rel="nofollow" class="result__a" href="{link}">{title}</a></h2>
<div class="result__extras"><a class="result__url" href="{link}">shown.example</a></div>
<a class="result__snippet" href="{link}">{snippet}</a></div></div>"""
AD = ITEM.replace("web-result", "result--ad").format(
    link="https://ads.example/", title="Buy", snippet="now"
)


def page(items: str) -> Reply:
    source = f'<html><body><div id="links" class="results">{AD}{items}</div></body></html>'
    return Reply(headers={"content-type": "text/html"}, body=[source.encode()], chunked=False)


class TestDuckDuckGo(SearchContract):
    plugin = "search.duckduckgo"
    needs_key = False
    key_header = ""

    def link(self, url: str) -> str:
        return escape(url)

    def reply(self, results: Sequence[Found]) -> Reply:
        items = (
            ITEM.format(link=self.link(one.url), title=one.title, snippet=one.snippet)
            for one in results
        )
        return page("".join(items) or '<div class="no-results">No results.</div>')


class TestDuckDuckGoDetour(TestDuckDuckGo):
    """Links over DuckDuckGo's own address, as some answers have them."""

    def link(self, url: str) -> str:
        return f"//duckduckgo.com/l/?uddg={quote(url, safe='')}&amp;rut=0123"
