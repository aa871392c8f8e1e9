"""Keys, values from the environment, and what is said of what does not fit."""

from __future__ import annotations

from typing import Any

import pytest
from nanobot_settings import masking
from nanobot_settings.environment import is_secret_name, overlay, resolve
from nanobot_settings.finding import Finding
from nanobot_settings.keys import Unknown, all_keys, canonical, listed, lookup, nearest, show
from nanobot_settings.validation import validate
from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel


class Strict(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", populate_by_name=True)


class Till(Strict):
    pin_code: str = ""
    open_at: int = Field(8, ge=0, le=23)

    @field_validator("pin_code")
    @classmethod
    def _long(cls, value: str) -> str:
        if len(value) == 1:
            raise ValueError(f"{value * 8} is too short")
        return value


class Shop(Strict):
    shop_owner: str = ""
    main_till: Till = Till()
    tills: dict[str, Till] = {}


def test_a_document_comes_into_one_spelling_and_names_of_users_stay() -> None:
    unknown: list[Unknown] = []
    data = {
        "shop_owner": "ann",
        "tills": {"left_one": {"pin_code": "1234"}},
        "main_till": {"pincode": 1},
    }
    assert canonical(data, Shop, unknown=unknown) == {
        "shopOwner": "ann",
        "tills": {"left_one": {"pinCode": "1234"}},
        "mainTill": {},
    }
    assert [(item.path, item.value, item.model) for item in unknown] == [
        (("mainTill", "pincode"), 1, Till)
    ]


def test_a_key_in_both_spellings_is_told_and_left_alone() -> None:
    twice: list[Any] = []
    data = {"shopOwner": "ann", "shop_owner": "bob"}
    assert canonical(data, Shop, twice=twice) == data
    assert twice == [("shop_owner",)]


def test_a_value_is_found_in_whichever_spelling() -> None:
    assert lookup({"main_till": {"pinCode": "x"}}, ("mainTill", "pin_code")) == "x"
    assert lookup({"main_till": 3}, ("mainTill", "pin_code")) is None


def test_the_nearest_key_is_the_one_that_was_meant() -> None:
    assert nearest("shop_ownr", ["shopOwner", "mainTill"]) == "shopOwner"
    assert nearest("weather", ["shopOwner", "mainTill"]) is None


def test_every_key_of_a_model_is_known() -> None:
    keys = {key for key, _ in all_keys(Shop)}
    assert keys >= {"shopOwner", "mainTill", "tills", "pinCode", "openAt"}


def test_a_part_of_a_path_that_may_be_a_value_is_hidden() -> None:
    assert show(("tills", 2, "pinCode")) == "tills[2].pinCode"
    assert show(("tills", "sk-CANARYCANARY")) == "tills.<redacted>"
    assert show(("tills", "a b")) == "tills.<redacted>"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"shopOwnr": "x"}, "shopOwnr: unknown key; did you mean shopOwner?"),
        ({"mainTill": []}, "mainTill: should be an object, found a list"),
        ({"mainTill": {"openAt": "soon"}}, "mainTill.openAt: should be a valid integer"),
        ({"mainTill": {"openAt": 24}}, "mainTill.openAt: should be less than or equal to 23"),
        ({"tills": {"left": {"pin": 1}}}, "tills.left.pin: unknown key"),
    ],
)
def test_what_does_not_fit_is_said_in_words(data: dict[str, Any], said: str) -> None:
    found = validate(Shop, data, otherwise={})
    assert isinstance(found, tuple)
    assert listed(found).startswith(said)


def test_a_validator_of_somebody_else_can_not_give_a_value_away() -> None:
    found = validate(Shop, {"mainTill": {"pinCode": "7"}, "shopOwner": "77777777"}, otherwise={})
    assert isinstance(found, tuple)
    assert str(found[0]) == "mainTill.pinCode: *** is too short"


def test_several_findings_are_a_list_that_ends() -> None:
    findings = [Finding(path=f"a{n}", severity="error", message="is wrong") for n in range(12)]
    text = listed(findings)
    assert text.startswith("12 problems\n  - a0: is wrong\n")
    assert text.endswith("… and 2 more")


def test_variables_are_laid_over_a_copy() -> None:
    data = {"mainTill": {"openAt": 8}}
    environ = {"SHOP_MAIN_TILL__OPEN_AT": "9", "SHOP_TILLS__LEFT__PIN_CODE": "0123", "SHOP_X": "1"}
    laid, texts, astray = overlay(data, environ, "SHOP_")
    assert laid == {"mainTill": {"openAt": 9}, "tills": {"left": {"pinCode": "0123"}}}
    assert texts == {("mainTill", "openAt"): "9", ("tills", "left", "pinCode"): "0123"}
    assert astray == []
    assert data == {"mainTill": {"openAt": 8}}


def test_a_variable_that_names_no_setting_is_told() -> None:
    _, _, astray = overlay({"tills": 3}, {"SHOP_TILLS__LEFT__PIN": "1"}, "SHOP_")
    assert [finding.message for finding in astray] == [
        "the environment variable SHOP_TILLS__LEFT__PIN does not name a setting"
    ]


def test_a_text_that_reads_like_a_number_is_taken_as_the_model_wants_it() -> None:
    value, readings, unset = resolve(
        {"shopOwner": "${N}", "mainTill": {"openAt": "${N}"}}, {"N": "12"}
    )
    assert not unset
    shop = validate(Shop, value, otherwise=readings)
    assert isinstance(shop, Shop)
    assert (shop.shop_owner, shop.main_till.open_at) == ("12", 12)


def test_an_unset_variable_is_named_and_its_text_stays() -> None:
    value, _, unset = resolve({"a": ["x${NOPE}"]}, {})
    assert value == {"a": ["x${NOPE}"]}
    assert str(unset[0]).startswith("a[0]: the environment variable NOPE is not set; export it")


def test_a_secret_from_the_environment_is_known_from_then_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(masking, "_known", [])
    resolve({"a": "${SHOP_TOKEN}"}, {"SHOP_TOKEN": "plain-looking"})
    assert masking.redact("it is plain-looking") == "it is ***"


@pytest.mark.parametrize("name", ["api_key", "apiKey", "TOKEN", "botTokens", "Authorization"])
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["max_tokens_left", "keyboard", "author"])
def test_names_of_other_things(name: str) -> None:
    assert not is_secret_name(name)
