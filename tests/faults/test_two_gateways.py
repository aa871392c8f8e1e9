"""Two gateways: the second is refused in words, and starts once the first is gone, however."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest


def pair(launch: Any, tmp_path: Path, share: str, flaw: str = "") -> tuple[Any, Any]:
    """Return two gateways that share an instance, or a workspace."""
    first = launch(tmp_path / "one", flaw=flaw)
    first.write()
    second = launch(tmp_path / ("one" if share == "instance" else "two"), flaw=flaw)
    second.config["agents"] = first.config["agents"]
    if share == "instance":
        second.config = first.config
        second.socket = first.socket
    second.write()
    return first, second


@pytest.mark.parametrize("share", ["instance", "workspace"])
def test_the_second_is_refused_until_the_first_is_killed(
    launch: Any, ledger: Any, tmp_path: Path, share: str
) -> None:
    first, second = pair(launch, tmp_path, share)
    first.start()
    client = first.connect(ledger)
    client.ask(ledger.say("c0"))
    second.start()
    assert second.process.wait(60) == 1
    lock = first.path.parent / ("" if share == "instance" else "work/.nanobot") / "gateway.lock"
    for fact in (f"pid {first.process.pid}", str(first.path), str(lock)):
        assert fact in second.told
    client.ask(ledger.say("c0"))
    assert first.stop(signal.SIGKILL) == -signal.SIGKILL
    second.start()
    second.connect(ledger).ask(ledger.say("c0"))


def test_the_detector_sees_a_second_one_that_runs(launch: Any, ledger: Any, tmp_path: Path) -> None:
    """Negative control: gateways that take no lock serve one workspace side by side."""
    first, second = pair(launch, tmp_path, "workspace", "unlocked")
    first.start()
    first.connect(ledger).ask(ledger.say("c0"))
    second.start()
    second.connect(ledger).ask(ledger.say("c0"))
    assert first.process.poll() is None and second.process.poll() is None
