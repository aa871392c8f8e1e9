"""What is loaded of the SDK, in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

EXCHANGE = """
import asyncio, sys
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("server", sys.argv[1])
server = module_from_spec(spec)
sys.modules["server"] = server
spec.loader.exec_module(server)
from pathlib import Path
from nanobot_testing.contracts.channel import Host, running
from nanobot_testing.host import load_spec

async def main():
    async with server.FeishuServer() as platform:
        host = Host()
        one = load_spec("channels.feishu")
        folder = Path(sys.argv[2])
        async with running(one, platform.config, folder, host, "channels.feishu"):
            await platform.say("hello")
            await platform.until(lambda: platform.acks and platform.pings)

asyncio.run(main())
assert not [name for name in sys.modules if name.startswith("lark_oapi")]
"""

AFTERWARDS = """
import nanobot_channel_feishu.connection as ours
import lark_oapi
from lark_oapi.api.im.v1 import CreateMessageRequest
assert lark_oapi.ws.Client is not ours.SDK.client.Client
assert lark_oapi.EventDispatcherHandler is not object
from nanobot_channel_feishu.sdk import load
assert load().client.Client is lark_oapi.ws.Client
"""


def run(code: str, *arguments: object) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_a_whole_exchange_needs_the_client_alone(feishu: ModuleType, tmp_path: Path) -> None:
    run(EXCHANGE, feishu.__file__, tmp_path)


def test_others_get_the_whole_sdk() -> None:
    run(AFTERWARDS)
