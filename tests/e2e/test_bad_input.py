"""What a user sees when something is wrong: one clear error, the next step, and nothing lost."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

KEY = "sk-test-CANARY-0123456789"


def settings(**changes: Any) -> dict[str, Any]:
    return {
        "agents": {"defaults": {"provider": "custom", "model": "m", **changes}},
        "providers": {"custom": {"apiKey": KEY, "apiBase": "http://127.0.0.1:9/v1"}},
    }


def check(done: Any, *words: str) -> None:
    assert done.returncode != 0
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert KEY not in done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


@pytest.fixture
def refusing() -> Iterator[str]:
    """Return the address of a server that knows no key."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            body = json.dumps({"error": {"message": f"Incorrect API key: {KEY}"}}).encode()
            self.send_response(401)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


def test_unknown_provider(nanobot: Any) -> None:
    done = nanobot("agent", "-m", "hi", config=settings(provider="nosuch"))
    check(done, "nosuch", "pip install nanobot-provider-nosuch")


def test_unknown_model(nanobot: Any) -> None:
    config = {"agents": {"defaults": {"model": "nosuch/model-x"}}}
    check(nanobot("agent", "-m", "hi", config=config), "nosuch/model-x", "nanobot-provider-nosuch")


def test_missing_key_names_the_variable(nanobot: Any) -> None:
    config = {"agents": {"defaults": {"provider": "deepseek"}}}
    check(nanobot("agent", "-m", "hi", config=config), "DEEPSEEK_API_KEY")


def test_unset_reference_names_the_variable(nanobot: Any) -> None:
    config = settings()
    config["providers"]["custom"]["apiKey"] = "${NOT_SET_ANYWHERE}"
    done = nanobot("agent", "-m", "hi", config=config)
    check(done, "NOT_SET_ANYWHERE", "providers.custom.apiKey")


def test_unreachable_server(nanobot: Any, repository: Path) -> None:
    done = nanobot("agent", "-w", str(repository), "-m", "keep this", config=settings())
    check(done, "127.0.0.1:9")
    (transcript,) = (repository / "sessions").glob("*.jsonl")
    assert "keep this" in transcript.read_text()


def test_wrong_key(nanobot: Any, refusing: str) -> None:
    config = settings()
    config["providers"]["custom"]["apiBase"] = refusing
    check(nanobot("agent", "-m", "hi", config=config), "key")


def test_malformed_configuration(nanobot: Any, clean_environment: dict[str, str]) -> None:
    path = Path(clean_environment["HOME"]) / "broken.json"
    path.write_text('{"agents": {\n  "defaults": }')
    before = path.read_bytes()
    check(nanobot("agent", "-c", str(path), "-m", "hi"), "broken.json", "line 2")
    assert path.read_bytes() == before


def test_missing_configuration(nanobot: Any) -> None:
    check(nanobot("agent", "-c", "/nonexistent/c.json", "-m", "hi"), "/nonexistent/c.json")


def test_workspace_that_is_a_file(nanobot: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    done = nanobot("agent", "-w", str(tmp_path / "file"), "-m", "hi", config=settings())
    check(done, str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file immutable to root")
def test_workspace_without_room(nanobot: Any) -> None:
    done = nanobot("agent", "-w", "/proc/nanobot-workspace", "-m", "hi", config=settings())
    check(done, "/proc/nanobot-workspace")


def test_a_prompt_of_a_megabyte_is_accepted(nanobot: Any, repository: Path) -> None:
    text = "word " * 200_000
    arguments = ("agent", "-w", str(repository), "-m", "-")
    done = nanobot(*arguments, stdin=text, config={"agents": {"defaults": {"provider": "offline"}}})
    assert done.returncode == 0, done.stderr
    (transcript,) = (repository / "sessions").glob("*.jsonl")
    assert text.strip() in transcript.read_text()


def test_bytes_that_are_no_utf_8(nanobot: Any, repository: Path) -> None:
    (repository / "AGENTS.md").write_bytes(b"caf\xe9 \xff rules")
    (repository / "latin.txt").write_bytes(b"caf\xe9\n")
    config = {"agents": {"defaults": {"provider": "offline"}}}
    done = nanobot("agent", "-w", str(repository), "-m", "read latin.txt", config=config)
    assert done.returncode == 0, done.stderr
    assert "caf" in done.stdout


def test_a_session_of_a_newer_version_is_left_alone(nanobot: Any, repository: Path) -> None:
    config = {"agents": {"defaults": {"provider": "offline"}}}
    arguments = ("agent", "-w", str(repository), "-m", "Hello!")
    assert nanobot(*arguments, config=config).returncode == 0
    (transcript,) = (repository / "sessions").glob("*.jsonl")
    newer, changed = re.subn(r'"v": ?1\b', '"v": 99', transcript.read_text(), count=1)
    assert changed == 1
    transcript.write_text(newer)
    check(nanobot(*arguments), "99", "pip install --upgrade nanobot-core")
    assert transcript.read_text() == newer


def test_the_answer_alone_is_on_stdout(nanobot: Any) -> None:
    done = nanobot("agent", "-m", "what is 12*7", config={})
    assert done.returncode == 0 and "84" in done.stdout
    assert "nanobot-provider" in done.stderr and done.stderr.count("\n") == 1


def test_stdin_is_put_after_the_message(nanobot: Any, repository: Path) -> None:
    arguments = ("agent", "-w", str(repository), "-m", "Look at this:")
    assert nanobot(*arguments, stdin="some piped text\n", config={}).returncode == 0
    (transcript,) = (repository / "sessions").glob("*.jsonl")
    assert "Look at this:\\n\\nsome piped text" in transcript.read_text()
