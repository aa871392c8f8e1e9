"""The server's own pages: how the gateway fares, for supervisors and for Prometheus."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator

from nanobot.log import Logger, redact
from nanobot_gateway.service import Health

from nanobot_service_http.answers import Answer, as_json

_PROMETHEUS = b"text/plain; version=0.0.4; charset=utf-8"
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Pages:
    """What ``/health`` and ``/metrics`` show.

    Args:
        health: Returns how the gateway fares.
        answered: Requests so far, by status of the answer.
    """

    def __init__(self, health: Callable[[], Health], answered: Counter[int], log: Logger) -> None:
        self._health = health
        self._answered = answered
        self._log = log

    def health(self, *, near: bool, authenticated: bool) -> Answer:
        """Return ``ok`` or ``degraded``, both with status 200: the process is alive.

        A supervisor that restarts on failure would not bring back what is degraded, a plugin
        that is missing or a chat app whose token is wrong. Status 503 means that not even the
        gateway knows how it fares.

        Args:
            near: The caller is on this machine and may read what the problems are.
            authenticated: The caller may know everything.
        """
        health = self.fares()
        if health is None:
            return as_json(503, {"status": "unknown"})
        told: dict[str, object] = {"status": "ok" if health.ok else "degraded"}
        if health.problems and (near or authenticated):
            told["problems"] = [redact(problem) for problem in health.problems]
        if authenticated:
            told["parts"] = {name: redact(state) for name, state in health.parts.items()}
            told["counters"] = dict(health.counters)
        return as_json(200, told)

    def metrics(self) -> Answer:
        """Return counters and states in the text format of Prometheus, version 0.0.4."""
        health = self.fares()
        lines = [*_gateway(health), *_requests(self._answered)]
        body = "".join(f"{line}\n" for line in lines).encode()
        return Answer(status=200, body=body, content_type=_PROMETHEUS)

    def fares(self) -> Health | None:
        """Return how the gateway fares, None when that can not be told; the log says why."""
        try:
            return self._health()
        except Exception:
            self._log.error("http_health_unknown", exc_info=True)
            return None


def _gateway(health: Health | None) -> Iterator[str]:
    yield "# HELP nanobot_healthy Whether everything that is wanted runs."
    yield "# TYPE nanobot_healthy gauge"
    yield f"nanobot_healthy {int(health is not None and health.ok)}"
    if health is None:
        return
    yield "# HELP nanobot_problems What is not as wanted."
    yield "# TYPE nanobot_problems gauge"
    yield f"nanobot_problems {len(health.problems)}"
    if health.parts:
        yield "# HELP nanobot_part_state State of a channel or service."
        yield "# TYPE nanobot_part_state gauge"
    for part, state in sorted(health.parts.items()):
        word = state.partition(":")[0].strip()
        yield f'nanobot_part_state{{part="{_label(part)}",state="{_label(word)}"}} 1'
    named = {_metric(name): value for name, value in sorted(health.counters.items())}
    for name, value in named.items():
        yield f"# TYPE {name} untyped"
        yield f"{name} {float(value)!r}"


def _requests(answered: Counter[int]) -> Iterator[str]:
    yield "# HELP nanobot_http_requests_total Requests by status of the answer."
    yield "# TYPE nanobot_http_requests_total counter"
    for status, count in sorted(answered.items()):
        yield f'nanobot_http_requests_total{{status="{status}"}} {count}'


def _label(text: str) -> str:
    return redact(text).translate(_ESCAPES)


def _metric(name: str) -> str:
    plain = re.sub(r"[^a-zA-Z0-9_]+", "_", name).strip("_")
    return plain if plain.startswith("nanobot_") else f"nanobot_{plain}"
