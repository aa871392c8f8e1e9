"""What model calls cost, and how full the window is: two different things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

ContextTokens = NewType("ContextTokens", int)
"""How full the model's window is. Not the bill: see `BilledTokens`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BilledTokens:
    """What a vendor charges for.

    Args:
        input: Prompt tokens, cached ones included.
        output: Answer tokens, reasoning included.
        cached: Part of `input` that was read from the vendor's cache.
        cache_write: Part of `input` that was written to the vendor's cache.
        reasoning: Part of `output` that was reasoning.
    """

    input: int = 0
    output: int = 0
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0

    def __add__(self, other: BilledTokens) -> BilledTokens:
        return BilledTokens(
            input=self.input + other.input,
            output=self.output + other.output,
            cached=self.cached + other.cached,
            cache_write=self.cache_write + other.cache_write,
            reasoning=self.reasoning + other.reasoning,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What one or several model calls used.

    Args:
        billed: Tokens charged, summed over the calls.
        context: How full the window was at the last call.
        calls: Number of model calls.
        estimated: True when the vendor reported nothing and the numbers are our estimate.
    """

    billed: BilledTokens = BilledTokens()
    context: ContextTokens = ContextTokens(0)
    calls: int = 0
    estimated: bool = False

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            billed=self.billed + other.billed,
            context=other.context or self.context,
            calls=self.calls + other.calls,
            estimated=self.estimated or other.estimated,
        )
