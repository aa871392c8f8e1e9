"""Prices: known exactly, or not at all."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from nanobot.errors import ConfigError
from nanobot.messages import BilledTokens
from nanobot_usage.config import Price
from nanobot_usage.prices import Prices, cost, open_prices, parse, shipped, store, stored

TABLE: dict[str, Any] = {
    "date": "2030-01-01",
    "vendors": [{"name": "V", "models": {"v-1": {"input": 1, "output": 2}}}],
}
MILLION = 10**6
DOLLAR = 10**9


def price(**rates: Any) -> Price:
    return Price.model_validate({"input": 2, "output": 10, **rates})


def test_the_table_of_the_package_is_dated_and_says_where_from() -> None:
    table = shipped()
    assert table.count > 100
    assert all(vendor.source.startswith("https://") for vendor in table.vendors)
    known = Prices({}, [table])
    assert known.find("claude-opus-4-5") and known.find("gpt-4o") and known.find("deepseek-v4-pro")


def test_a_release_costs_what_its_model_does_and_others_are_not_guessed() -> None:
    known = Prices({}, [shipped()])
    assert known.find("claude-opus-4-5-20251101") == known.find("claude-opus-4-5")
    assert known.find("GPT-4o-2024-11-20") == known.find("gpt-4o")
    for name in ("gpt-4o-my-finetune", "my-gpt-4o", "claude-opus-4-5x", "llama3.1:8b", ""):
        assert known.find(name) is None


def test_the_users_prices_win_and_take_patterns() -> None:
    known = Prices({"local/*": price(input=0, output=0), "gpt-4o": price()}, [shipped()])
    assert known.find("local/anything") == price(input=0, output=0)
    assert known.find("gpt-4o") == price()


def test_what_is_cached_is_billed_apart() -> None:
    billed = BilledTokens(input=3 * MILLION, output=MILLION, cached=MILLION, cache_write=MILLION)
    dear = cost(price(), billed, 0)
    assert (dear.input, dear.output) == (6 * DOLLAR, 10 * DOLLAR)
    cheap = cost(price(cachedRead=0.5, cacheWrite=4), billed, 0)
    assert cheap.input == 2 * DOLLAR + DOLLAR // 2 + 4 * DOLLAR


def test_long_prompts_and_busy_hours() -> None:
    long = price(above={"tokens": 1000, "input": 4, "output": 20})
    assert cost(long, BilledTokens(input=1000), 0).total == 1000 * 2000
    assert cost(long, BilledTokens(input=1001), 0).total == 1001 * 4000
    busy = price(peak={"hours": ["01:00-04:00"], "input": 4, "output": 20})
    at = datetime(2026, 1, 1, 1, 0, tzinfo=UTC).timestamp()
    assert cost(busy, BilledTokens(input=1), at).total == 4000
    assert cost(busy, BilledTokens(input=1), at + 3 * 3600).total == 2000


def test_a_table_that_was_fetched_holds_while_it_is_newer(tmp_path: Path) -> None:
    models = {"gpt-4o": {"input": 9, "output": 9}}
    for day, expected in (("2020-01-01", 2.5), ("2099-01-01", 9)):
        table = {"date": day, "vendors": [{"name": "O", "models": models}]}
        store(tmp_path, parse(json.dumps(table).encode(), "test"))
        found = open_prices(tmp_path, {}).find("gpt-4o")
        assert found and found.input == expected
    assert (tmp_path / "prices.json").stat().st_mode & 0o777 == 0o600
    assert stored(tmp_path / "elsewhere") is None


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"[]",
        b"{}",
        json.dumps({**TABLE, "date": "soon"}).encode(),
        json.dumps({**TABLE, "extra": 1}).encode(),
        json.dumps(TABLE).replace('"input": 1', '"input": -1').encode(),
        json.dumps(TABLE).replace('"input": 1', '"input": Infinity').encode(),
        json.dumps(TABLE).replace('"output": 2', '"outpt": 2').encode(),
    ],
)
def test_what_is_no_table_is_refused(wrong: bytes) -> None:
    with pytest.raises(ConfigError, match="x is no price table"):
        parse(wrong, "x")
