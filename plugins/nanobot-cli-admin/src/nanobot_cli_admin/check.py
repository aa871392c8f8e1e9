"""`nanobot plugins check`: imports each plugin in a process of its own and keeps the verdict."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from nanobot.admin import State, Status, Verdicts

from nanobot_cli_admin.installed import verdicts_file

DEADLINE_S = 20.0
_METADATA = (State.INCOMPATIBLE, State.CONFLICT)


def check(statuses: Iterable[Status], config: Path) -> Iterator[Status]:
    """Yield what the plugins came to, in their order, and keep it for `nanobot plugins list`.

    Plugins that metadata alone rules out are not imported.
    """
    verdicts = Verdicts(verdicts_file(config))
    pool = ThreadPoolExecutor(max_workers=os.cpu_count())
    try:
        for status in pool.map(lambda status: _verdict(status, config), statuses):
            if status.state not in _METADATA:
                verdicts.put(status)
            yield status
    finally:
        pool.shutdown(cancel_futures=True)
        verdicts.save()


def _verdict(status: Status, config: Path) -> Status:
    if status.state in _METADATA:
        return status
    entry = status.entry
    arguments = [entry.id, entry.distribution, str(config)]
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "nanobot_cli_admin.probe", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            answer, _ = process.communicate(timeout=DEADLINE_S)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            reason = f"its import did not come to an end within {DEADLINE_S:g} s"
            return replace(status, state=State.BROKEN, reason=reason)
    state, reason = json.loads(answer) if answer else (State.BROKEN, _ended(process.returncode))
    return replace(status, state=State(state), reason=reason)


def _ended(code: int) -> str:
    if code < 0:
        return f"its import was ended by signal {signal.Signals(-code).name}"
    return f"its import ended the whole process with status {code}"
