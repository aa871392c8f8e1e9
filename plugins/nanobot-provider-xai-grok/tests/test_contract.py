"""The promises of every provider."""

from nanobot_testing import ProviderContract


class TestGrok(ProviderContract):
    plugin = "providers.xai_grok"
    dialect = "responses"
    model = "grok-4.5"
