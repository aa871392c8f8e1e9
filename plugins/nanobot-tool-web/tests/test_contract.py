from typing import ClassVar

import pytest
from nanobot_testing import ToolContract


@pytest.mark.usefixtures("on_stage")
class TestWeb(ToolContract):
    plugin = "tools.web"
    examples: ClassVar = {
        "web_search": [{"query": "weather in Bern"}, {"query": "news", "timeRange": "day"}],
        "web_fetch": [{"url": "http://93.184.215.14/page"}],
    }
