"""The sections ``usage`` and ``budgets``."""

from __future__ import annotations

from typing import Annotated, Literal

from nanobot.config import ConfigModel, PluginConfig
from nanobot.messages import Origin
from pydantic import Field, model_validator

Hours = Annotated[str, Field(pattern=r"^[0-2]\d:[0-5]\d-[0-2]\d:[0-5]\d$")]
Dollars = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class Rates(ConfigModel):
    """Dollars per million tokens."""

    input: Dollars = Field(description="Dollars per million tokens of the prompt.")
    output: Dollars = Field(description="Dollars per million tokens of the answer.")
    cached_read: Dollars | None = Field(
        default=None, description="For prompt tokens read from the cache; null is as `input`."
    )
    cache_write: Dollars | None = Field(
        default=None, description="For prompt tokens written to the cache; null is as `input`."
    )


class LongRates(Rates):
    """What a vendor takes for long prompts."""

    tokens: int = Field(ge=1, description="For calls whose prompt has more tokens than this.")


class PeakRates(Rates):
    """What a vendor takes at busy hours."""

    hours: tuple[Hours, ...] = Field(
        min_length=1, description="Times of day in UTC, such as `01:00-04:00`."
    )


class Price(Rates):
    """What a model costs."""

    peak: PeakRates | None = Field(
        default=None, description="Other rates at busy hours, with the key `hours`."
    )

    above: LongRates | None = Field(
        default=None, description="Other rates for long prompts, with the key `tokens`."
    )


class UsageConfig(PluginConfig):
    """The section ``usage``."""

    prices: dict[str, Price] = Field(
        default_factory=dict,
        description="Prices of your own by model id; `*` stands for any text.",
    )
    keep_months: int = Field(
        default=13, ge=1, le=1200, description="Months to keep, the current one included."
    )


class Budget(ConfigModel):
    """How much may be used in a day or month."""

    per: Literal["day", "month"] = Field(default="day", description="`day` or `month`.")
    each: Literal["", "user", "session", "origin"] = Field(
        default="",
        description="`user`, `session` or `origin`: each has all of it; empty: all share it.",
    )
    origins: tuple[Origin, ...] = Field(
        default=(), description="Only for these origins: user, schedule, trigger, agent, system."
    )
    users: tuple[str, ...] = Field(
        default=(), description="Only for these users, as `nanobot usage --by user` names them."
    )
    sessions: tuple[str, ...] = Field(
        default=(), description="Only for these sessions; `*` stands for any text."
    )
    tokens: int | None = Field(
        default=None, ge=1, description="Most tokens, prompts and answers together."
    )
    money: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="Most dollars, by the price table."
    )
    warn_at: float = Field(
        default=0.8, gt=0, le=1, description="Share at which users are told, once a day."
    )
    hard: bool = Field(default=True, description="Refuse model calls once it is used up.")

    @model_validator(mode="after")
    def _has_an_amount(self) -> Budget:
        if self.tokens is None and self.money is None:
            raise ValueError("needs tokens or money")
        return self


class BudgetsConfig(PluginConfig):
    """The section ``budgets``."""

    limits: dict[str, Budget] = Field(
        default_factory=dict, description="The budgets, under names of your own."
    )
