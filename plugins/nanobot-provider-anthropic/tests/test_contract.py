"""The promises of every provider."""

from nanobot_testing import ProviderContract


class TestAnthropic(ProviderContract):
    plugin = "providers.anthropic"
    dialect = "messages"
    model = "claude-sonnet-4-6"
