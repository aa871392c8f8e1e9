"""A gateway as its owner runs it: started, talked to, edited, asked how it fares, stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

DEADLINE_S = 60.0


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def eventually(look: Callable[[], Any]) -> Any:
    """Return what is found as soon as it is there."""
    until = time.monotonic() + DEADLINE_S
    while not (found := look()):
        assert time.monotonic() < until, "it never came"
        time.sleep(0.02)
    return found


class Gateway:
    """A gateway in a process of its own."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self.socket_port, self.http_port = free_port(), free_port()
        self.path = home / ".nanobot" / "config.json"
        self.path.parent.mkdir(exist_ok=True)
        self.channel: dict[str, Any] = {
            "enabled": True,
            "port": self.socket_port,
            "token": "let-me-in",
        }
        self.write()
        self._environment = {**environment}
        self.errors = home / "errors.txt"
        self.process = self.start()

    def write(self) -> None:
        self.path.write_text(
            json.dumps(
                {
                    "agents": {"defaults": {"provider": "offline"}},
                    "channels": {"websocket": self.channel},
                    "gateway": {"port": self.http_port},
                }
            )
        )
        self.path.chmod(0o600)

    def start(self) -> subprocess.Popen[bytes]:
        with self.errors.open("ab") as errors:
            return subprocess.Popen(
                [sys.executable, "-m", "nanobot", "gateway"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
            )

    def health(self) -> dict[str, Any] | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/health") as answer:
                return dict(json.load(answer))
        except OSError:
            return None

    def connect(self, token: str = "let-me-in") -> Any:
        url = f"ws://127.0.0.1:{self.socket_port}/?client_id=me&token={token}"
        return connect(url, open_timeout=DEADLINE_S, close_timeout=DEADLINE_S)

    def ask(self, text: str) -> str:
        """Say something as the smallest client does, and return the text of the first frame."""
        with self.connect() as client:
            assert json.loads(client.recv(DEADLINE_S))["event"] == "ready"
            client.send(json.dumps({"content": text}))
            answer = json.loads(client.recv(DEADLINE_S))["text"]
            assert isinstance(answer, str)
            return answer

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)


@pytest.fixture
def gateway(clean_environment: Mapping[str, str]) -> Iterator[Gateway]:
    made = Gateway(Path(clean_environment["HOME"]), clean_environment)
    try:
        eventually(lambda: made.health() or made.process.poll() is not None)
        assert made.process.poll() is None, made.errors.read_text()
        yield made
    finally:
        if made.process.poll() is None:
            made.process.kill()
            made.process.wait()


def test_it_answers_says_that_it_is_well_and_stops(gateway: Gateway) -> None:
    assert eventually(gateway.health) == {"status": "ok"}
    assert "hello" in gateway.ask("hello").lower()
    assert gateway.stop() == 0
    assert "Traceback" not in gateway.errors.read_text()


def test_it_goes_on_after_a_kill(gateway: Gateway) -> None:
    gateway.ask("hello")
    assert gateway.stop(signal.SIGKILL) == -signal.SIGKILL
    gateway.process = gateway.start()
    eventually(gateway.health)
    assert gateway.ask("hello")


def test_a_second_one_is_refused_in_words(gateway: Gateway) -> None:
    second = gateway.start()
    assert second.wait(DEADLINE_S) == 1
    told = gateway.errors.read_text()
    assert f"pid {gateway.process.pid}" in told and str(gateway.path) in told
    assert gateway.ask("hello")


def test_an_edit_is_applied_and_a_bad_one_is_not(gateway: Gateway) -> None:
    gateway.path.write_text("{ broken")
    os.kill(gateway.process.pid, signal.SIGHUP)
    eventually(lambda: "config_refused" in gateway.errors.read_text())
    assert gateway.ask("hello")
    gateway.channel["token"] = "another"
    gateway.write()
    os.kill(gateway.process.pid, signal.SIGHUP)
    eventually(lambda: "config_applied" in gateway.errors.read_text())
    eventually(lambda: refused(gateway))
    with gateway.connect("another") as client:
        assert json.loads(client.recv(DEADLINE_S))["event"] == "ready"


def refused(gateway: Gateway) -> bool:
    try:
        with gateway.connect():
            return False
    except InvalidStatus as error:
        return error.response.status_code == 401
    except OSError:
        return False


def test_a_port_in_use_stops_nothing_else(gateway: Gateway) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        gateway.channel["port"] = taken.getsockname()[1]
        gateway.write()
        os.kill(gateway.process.pid, signal.SIGHUP)
        health = eventually(lambda: (h := gateway.health()) and h["status"] == "degraded" and h)
        assert any("channels.websocket.port" in problem for problem in health["problems"])
        assert gateway.process.poll() is None
