"""``nanobot usage``, and the advice at start."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from nanobot.context import SystemClock
from nanobot.errors import ConfigError
from nanobot_usage.advice import advise
from nanobot_usage.cli import command
from nanobot_usage.journal import FOLDER, Call, Cost, Journal
from nanobot_usage.prices import MAX_BYTES

TABLE = {
    "date": "2099-01-01",
    "vendors": [{"name": "V", "source": "s", "models": {"v-1": {"input": 1, "output": 2}}}],
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in os.environ:
        if name.startswith("NANOBOT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / ".nanobot"
    folder.mkdir(mode=0o700)
    return folder


def run(*arguments: str) -> str:
    result = CliRunner().invoke(command, list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def used(home: Path, make_call: Callable[..., Call]) -> Journal:
    journal = Journal(home / "plugins" / FOLDER)
    now = int(SystemClock().now().timestamp())
    for model, cost in (("dear", Cost(input=2 * 10**9)), ("odd", None)):
        journal.append(make_call(at=now - 5, model=model, cost=cost))
    return journal


def test_a_report(used: Journal) -> None:
    lines = run("--by", "model").splitlines()
    assert [line.split()[0] for line in lines] == ["model", "dear", "odd", "total"]
    assert "$2.00" in lines[1] and "unknown" in lines[2] and "$2.00 + 1 call unknown" in lines[3]


def test_a_report_for_programs(used: Journal) -> None:
    report = json.loads(run("--by", "segment", "--since", "24h", "--json"))
    assert report["total"]["billed"]["input"] == 20
    assert sum(row["billed"]["input"] for row in report["rows"]) == 20
    assert {row["segment"] for row in report["rows"]} == {"system.identity", "message", "answer"}


def test_prices_set_later_count_for_calls_without(home: Path, used: Journal) -> None:
    config = {"usage": {"prices": {"odd": {"input": 100_000, "output": 0}}}}
    (home / "config.json").write_text(json.dumps(config))
    (home / "config.json").chmod(0o600)
    report = json.loads(run("--by", "model", "--json"))
    assert {row["model"]: row["cost"] for row in report["rows"]} == {"dear": 2.0, "odd": 1.0}


def test_nothing_was_used(home: Path) -> None:
    assert "No model was called" in run()
    with pytest.raises(ConfigError, match="is no time"):
        run("--since", "never")


def test_damage_is_told(home: Path, used: Journal) -> None:
    (path,) = (home / "plugins" / FOLDER).glob("*.jsonl")
    with path.open("a") as file:
        file.write("\n{torn\n")
    assert "1 damaged lines" in run()


def test_prices_from_a_file(home: Path, tmp_path: Path) -> None:
    assert "updated" not in run("prices")
    path = tmp_path / "new.json"
    path.write_text(json.dumps(TABLE))
    assert "Stored prices of 1 models, of 2099-01-01" in run("prices", "--update", str(path))
    assert "updated: 1 models" in run("prices")
    assert json.loads(run("prices", "--model", "v-1")) == {"input": 1.0, "output": 2.0}
    path.write_text("{}")
    with pytest.raises(ConfigError, match="is no price table"):
        run("prices", "--update", str(path))
    assert "updated: 1 models" in run("prices")
    assert CliRunner().invoke(command, ["prices", "--model", "no-such"]).exit_code == 1


@pytest.fixture
def server() -> Iterator[Any]:
    answers: dict[str, bytes] = {"/table": json.dumps(TABLE).encode(), "/big": b" " * MAX_BYTES * 2}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = answers.get(self.path)
            if self.path == "/round":
                self.send_response(302)
                self.send_header("Location", "/round")
                self.end_headers()
                return
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(found or b"")

        def log_message(self, *arguments: object) -> None:
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    thread.join()
    made.server_close()


def test_prices_from_an_address(home: Path, server: str) -> None:
    assert "Stored prices of 1 models" in run("prices", "--update", f"{server}/table")
    for path, words in (("/none", "404"), ("/big", "larger than"), ("/round", "redirect")):
        with pytest.raises(ConfigError, match=words):
            run("prices", "--update", server + path)
    for source, words in (("ftp://x/y", "is no address"), ("/no/such/file", "can not be read")):
        with pytest.raises(ConfigError, match=words):
            run("prices", "--update", source)


# --- advice --------------------------------------------------------------------------------------


def test_advice_on_budgets_that_can_not_hold() -> None:
    limits = {"daily": {"money": 1}}
    agents = {"defaults": {"model": "nobody-knows-it"}}
    off = {"budgets": {"limits": limits}, "usage": {"enabled": False}}
    assert [finding.severity for finding in advise(off)] == ["error"]
    unknown = {"budgets": {"limits": limits}, "agents": agents}
    (finding,) = advise(unknown)
    assert finding.path == "budgets.limits" and "usage.prices" in finding.remedy
    priced = {**unknown, "usage": {"prices": {"nobody-*": {"input": 1, "output": 1}}}}
    for fine in (
        {},
        {"budgets": "nonsense", "usage": []},
        {"budgets": {"enabled": False, "limits": limits}, "usage": {"enabled": False}},
        {"budgets": {"limits": {"daily": {"tokens": 5}}}, "agents": agents},
        {"budgets": {"limits": limits}, "agents": {"defaults": {"model": "openai/gpt-4o"}}},
        priced,
    ):
        assert not list(advise(fine))
