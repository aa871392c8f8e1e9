"""The guard against weakened contracts.

A class that subclasses a contract may override one of its tests only with an xfail that gives a
reason; anything else is an error at collection. nanobot is imported by the tests, not here.
"""

from __future__ import annotations

import pytest


def _contract_of(owner: type, name: str) -> type | None:
    for base in owner.__mro__[1:]:
        if base.__module__.startswith("nanobot_testing.contracts") and name in vars(base):
            return base
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse contract tests that a subclass replaced or took away."""
    weakened = set()
    seen = set()
    for item in items:
        owner = getattr(item, "cls", None)
        if owner is None or owner in seen:
            continue
        seen.add(owner)
        for name in dir(owner):
            if not name.startswith("test"):
                continue
            base = _contract_of(owner, name)
            inherited = base is not None and getattr(owner, name) is vars(base)[name]
            if base is None or inherited:
                continue
            marks = getattr(getattr(owner, name), "pytestmark", [])
            if not any(m.name == "xfail" and m.kwargs.get("reason") for m in marks):
                weakened.add(f"{owner.__name__}.{name} replaces {base.__name__}.{name}")
    if weakened:
        raise pytest.UsageError(
            "a contract test may be overridden only by an xfail with a reason: "
            + "; ".join(sorted(weakened))
        )
