"""The promises of every provider, in both dialects."""

from nanobot_testing import ProviderContract


class TestCopilot(ProviderContract):
    plugin = "providers.github_copilot"
    dialect = "responses"
    model = "gpt-5-mini"


class TestCopilotChat(ProviderContract):
    plugin = "providers.github_copilot"
    dialect = "chat"
    model = "gpt-4.1"
