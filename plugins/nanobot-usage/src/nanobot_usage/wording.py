"""Numbers as people read them."""

from __future__ import annotations


def calls(count: int) -> str:
    """Return a number of calls."""
    return f"{count:,} {'call' if count == 1 else 'calls'}"


def dollars(billionths: int) -> str:
    """Return an amount of money; small ones with the digits that tell something."""
    amount = billionths / 10**9
    if amount == 0 or amount >= 0.995:
        return f"${amount:,.2f}"
    return f"${amount:.4f}" if amount >= 0.0001 else "<$0.0001"
