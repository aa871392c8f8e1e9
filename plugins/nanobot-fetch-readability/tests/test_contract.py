from nanobot_testing.contracts.fetch import FetchContract


class TestReadability(FetchContract):
    plugin = "fetch.readability"
