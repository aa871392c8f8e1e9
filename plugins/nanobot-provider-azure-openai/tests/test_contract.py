"""The promises of every provider, in both dialects."""

from collections.abc import Mapping
from typing import ClassVar

from nanobot_testing import ProviderContract


class TestAzure(ProviderContract):
    plugin = "providers.azure_openai"
    dialect = "responses"
    model = "my-deployment"


class TestAzureChat(ProviderContract):
    plugin = "providers.azure_openai"
    config: ClassVar[Mapping[str, object]] = {"apiType": "chat_completions"}
    dialect = "chat"
    model = "my-deployment"
