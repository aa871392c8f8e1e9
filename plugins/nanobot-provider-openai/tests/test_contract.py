"""The promises of every provider, in both dialects."""

from collections.abc import Mapping
from typing import ClassVar

from nanobot_testing import ProviderContract


class TestOpenAI(ProviderContract):
    plugin = "providers.openai"
    config: ClassVar[Mapping[str, object]] = {"apiType": "responses"}
    dialect = "responses"
    model = "gpt-5.4-mini"


class TestOpenAIChat(ProviderContract):
    plugin = "providers.openai"
    config: ClassVar[Mapping[str, object]] = {"apiType": "chat_completions"}
    dialect = "chat"
