"""The promises of every provider."""

from nanobot_testing import ProviderContract


class TestCodex(ProviderContract):
    plugin = "providers.openai_codex"
    dialect = "responses"
    model = "gpt-5.4"
