"""How long the command line takes: run with ``hatch run bench``.

Each figure is the median of several runs of a whole process, with what it must reach beside it.
Nothing is asserted: a busy machine must not fail a build.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from nanobot_testing.servers.chat import ChatServer
from nanobot_testing.servers.wire import Reply, Request

RUNS = 9
RAW_OPENAI = """
import sys
from openai import OpenAI
client = OpenAI(api_key="sk-none", base_url=sys.argv[1])
stream = client.chat.completions.create(
    model="m", stream=True, messages=[{"role": "user", "content": "hi"}]
)
for chunk in stream:
    if chunk.choices:
        sys.stdout.write(chunk.choices[0].delta.content or "")
"""


class Bench(ChatServer):
    """Calls read_file as often as the message asks, then answers; notes what the client adds.

    Attributes:
        gaps: Seconds between the last byte of an answer and the next request of the same turn.
    """

    gaps: ClassVar[list[float]] = []
    ended: ClassVar[float] = 0.0

    @staticmethod
    async def _write(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reply: Reply
    ) -> bool:
        whole = await ChatServer._write(reader, writer, reply)
        Bench.ended = time.perf_counter()
        return whole

    def answer(self, request: Request) -> Reply:
        if Bench.ended:
            Bench.gaps.append(time.perf_counter() - Bench.ended)
        messages = request.json["messages"]
        last = max(n for n, message in enumerate(messages) if message["role"] == "user")
        asked = messages[last]["content"]
        words = (asked if isinstance(asked, str) else asked[0]["text"]).split()
        done = sum(1 for message in messages[last:] if message["role"] == "tool")
        if words[0] == "read" and done < int(words[1]):
            return self.tools(("read_file", json.dumps({"path": f"note{done}.txt"})))
        Bench.ended = 0.0
        return self.text("done")


@pytest.fixture
def server() -> Iterator[Bench]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    bench = asyncio.run_coroutine_threadsafe(Bench().__aenter__(), loop).result()
    yield bench
    asyncio.run_coroutine_threadsafe(bench.__aexit__(None, None, None), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "NO_PROXY": "*", "LANG": "C.UTF-8"}


def run(arguments: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Return the median seconds of a command and the largest resident memory in MB.

    Args:
        arguments: Words for the interpreter; ``{}`` stands for the number of the run.
    """
    times = []
    for number in range(RUNS + 1):
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, *(word.format(number) for word in arguments)],
            env=environment,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            cwd=environment["HOME"],
        )
        assert done.returncode == 0, done.stderr
        if number:  # the first run writes bytecode
            times.append(time.perf_counter() - started)
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return statistics.median(times), memory


def show(what: str, measured: float, target: str, unit: str = "s") -> None:
    print(f"{what:<58} {measured:8.3f} {unit:<3} must reach {target}")


def write_config(home: Path, base: str) -> None:
    folder = home / ".nanobot"
    (folder / "workspace").mkdir(parents=True)
    path = folder / "config.json"
    path.write_text(
        json.dumps(
            {
                "agents": {"defaults": {"provider": "custom", "model": "m"}},
                "providers": {"custom": {"apiKey": "sk-none", "apiBase": base}},
            }
        )
    )
    path.chmod(0o600)
    for number in range(40):
        (folder / "workspace" / f"note{number}.txt").write_text(f"note {number}\nsecond line\n")


def bench_metadata_commands(tmp_path: Path, environment: dict[str, str]) -> None:
    extra = tmp_path / "site"
    for number in range(100):
        folder = extra / f"nanobot_tool_bench{number}-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: nanobot-tool-bench{number}\nVersion: 1.0\n"
            "Requires-Dist: nanobot-core>=0.1,<0.2\n"
        )
        (folder / "entry_points.txt").write_text(
            f"[nanobot.v1.tools]\nbench{number} = nanobot_tool_bench{number}.plugin\n"
        )
    environment = {**environment, "PYTHONPATH": str(extra)}
    print()
    show("nanobot --version", run(["-m", "nanobot", "--version"], environment)[0], "0.05")
    listed = run(["-m", "nanobot", "plugins", "list"], environment)[0]
    show("nanobot plugins list, 100 plugins more", listed, "0.12")


def bench_one_shot(tmp_path: Path, environment: dict[str, str], server: Bench) -> None:
    write_config(tmp_path, server.base_url)
    turn, memory = run(["-m", "nanobot", "agent", "-s", "bench:{}", "-m", "hi"], environment)
    raw, _ = run(
        ["-c", RAW_OPENAI.replace("{", "{{").replace("}", "}}"), server.base_url], environment
    )
    print()
    show("nanobot agent -m hi", turn, f"0.35 and {raw / 2:.3f}")
    show("  largest resident memory", memory, "60", "MB")
    show("the same with the raw openai SDK", raw, "-")


def bench_tool_loop(tmp_path: Path, environment: dict[str, str], server: Bench) -> None:
    write_config(tmp_path, server.base_url)
    Bench.gaps.clear()
    run(["-m", "nanobot", "agent", "-s", "bench:{}", "-m", "read 20"], environment)
    print()
    show("what a read_file iteration adds", statistics.median(Bench.gaps) * 1000, "2", "ms")
