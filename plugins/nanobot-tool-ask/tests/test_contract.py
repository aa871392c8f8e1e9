"""The contract of tool plugins, for questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from nanobot_testing.desk import DeskToolContract


class TestAsk(DeskToolContract):
    plugin = "tools.ask"
    config: ClassVar[Mapping[str, object]] = {"waitMinutes": 5}
    examples: ClassVar[Mapping[str, Sequence[Mapping[str, object]]]] = {
        "ask_user": [
            {"question": "What is it called?"},
            {"question": "Which one?", "choices": ["red", {"label": "blue", "description": "sky"}]},
        ]
    }
