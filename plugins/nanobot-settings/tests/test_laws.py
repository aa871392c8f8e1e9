"""What holds for every document."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from nanobot_settings.environment import resolve
from nanobot_settings.keys import canonical
from nanobot_settings.spelling import camel, snake
from nanobot_settings.validation import validate
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

relaxed = settings(deadline=None)  # a busy machine is no defect

TEXT = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    ["${HOME}", "${UNSET}/x", "ünï", "${}", "$${A}", "shop_owner", "shopOwner"]
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


class Strict(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", populate_by_name=True)


class Shelf(Strict):
    max_weight: int = 0
    labels: dict[str, str] = {}


class Shop(Strict):
    shop_owner: str = ""
    shelves: list[Shelf] = []
    main_shelf: Shelf | None = None


@relaxed
@given(JSON)
def test_any_section_is_used_or_refused_without_showing_a_value(value: Any) -> None:
    found = validate(
        Shop, {"mainShelf": value, "shopOwner": "CANARY-1", "shelves": "CANARY-2"}, otherwise={}
    )
    assert isinstance(found, tuple)
    assert "shelves: should be a list, found a string" in [str(finding) for finding in found]
    assert "CANARY" not in " ".join(map(str, found))


@relaxed
@given(JSON)
def test_resolving_changes_nothing_but_references(value: Any) -> None:
    resolved, _, unset = resolve(value, {"HOME": "${HOME}"})
    assert resolved == value
    assert all("variable UNSET " in f.message or "variable A " in f.message for f in unset)


@relaxed
@given(JSON)
def test_canonical_keys_are_a_fixed_point(value: Any) -> None:
    once = canonical({"shelves": value, "mainShelf": value, "x": value}, Shop)
    assert canonical(once, Shop) == once


@relaxed
@given(st.from_regex(r"[a-z][a-z0-9]{0,5}(_[a-z][a-z0-9]{1,5}){0,3}", fullmatch=True))
def test_spellings_are_inverse(name: str) -> None:
    assert snake(camel(name)) == name
    assert camel(camel(name)) == camel(name)
