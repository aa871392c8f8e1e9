"""Conformance kit for nanobot plugins.

Subclass the contract of your kind once, name your plugin, and pytest runs every promise::

    from nanobot_testing import ToolContract

    class TestDice(ToolContract):
        plugin = "tools.dice"
        examples = {"roll_dice": [{"sides": 6}]}
"""

from nanobot_testing.contracts.channel import ChannelContract
from nanobot_testing.contracts.chat_vendor import ChatVendorContract
from nanobot_testing.contracts.command import CommandContract
from nanobot_testing.contracts.middleware import MiddlewareContract
from nanobot_testing.contracts.prompt import PromptContract
from nanobot_testing.contracts.provider import ProviderContract
from nanobot_testing.contracts.store import StoreContract
from nanobot_testing.contracts.tool import ToolContract
from nanobot_testing.host import load_spec, make_context, make_turn, open_spec, run

__all__ = [
    "ChannelContract",
    "ChatVendorContract",
    "CommandContract",
    "MiddlewareContract",
    "PromptContract",
    "ProviderContract",
    "StoreContract",
    "ToolContract",
    "load_spec",
    "make_context",
    "make_turn",
    "open_spec",
    "run",
]
