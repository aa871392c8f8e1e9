"""What the owner should know of the budgets in a configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nanobot.findings import Finding

_USAGE_OFF = "nothing is counted, since the section usage is switched off"


def advise(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield remarks on budgets that can not hold.

    Args:
        document: The configuration; its sections are not validated.
    """
    budgets, usage = _object(document, "budgets"), _object(document, "usage")
    limits = _object(budgets, "limits")
    if not limits or budgets.get("enabled", budgets.get("enable")) is False:
        return
    if usage.get("enabled", usage.get("enable")) is False:
        yield Finding(
            path="budgets",
            severity="error",
            message=_USAGE_OFF,
            remedy="set usage.enabled to true",
        )
    model = _object(_object(document, "agents"), "defaults").get("model")
    if isinstance(model, str) and any(
        isinstance(limit, dict) and limit.get("money") and not limit.get("tokens")
        for limit in limits.values()
    ):
        yield from _unpriced(model, _object(usage, "prices"))


def _unpriced(model: str, own: Mapping[str, Any]) -> Iterator[Finding]:
    """Say when the default model has no price, so that a budget in money would never end."""
    from nanobot_usage.config import Price
    from nanobot_usage.prices import Prices, shipped

    made = {name: Price(input=0, output=0) for name in own}
    prices = Prices(made, [shipped()])
    if prices.find(model) is None and prices.find(model.rpartition("/")[2]) is None:
        yield Finding(
            path="budgets.limits",
            severity="warning",
            message="the price of the default model is not known, so calls of it are not in money",
            remedy="set its price under usage.prices, or limit tokens",
        )


def _object(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = data.get(key)
    return found if isinstance(found, dict) else {}
