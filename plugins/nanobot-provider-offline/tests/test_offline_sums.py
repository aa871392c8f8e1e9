"""Sums are worked out within bounds; nothing else is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from nanobot_provider_offline.sums import work_out


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("what is 12*7?", "12*7 = 84"),
        ("What's 2 + 2", "2 + 2 = 4"),
        ("12 * 7 =", "12 * 7 = 84"),
        ("calculate (1+2)*3.", "(1+2)*3 = 9"),
        ("how much is 12 x 7?", "12 x 7 = 84"),
        ("12×7", "12×7 = 84"),
        ("-3+1", "-3+1 = -2"),
        ("1/0", "Nothing can be divided by zero."),
    ],
)
def test_sums_are_understood(turn: Callable[..., str], said: str, answer: str) -> None:
    assert turn(said) == answer


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7/2", "3.5"),
        ("7//2", "3"),
        ("7%4", "3"),
        ("2**10", "1024"),
        ("2^10", "1024"),
        ("0.1+0.2", "0.3"),
        ("6÷4", "1.5"),
        ("-(2−5)", "3"),
        ("+4-1", "3"),
        ("2**-1", "0.5"),
        ("(((1+1)))*2", "4"),
    ],
)
def test_values(text: str, value: str) -> None:
    assert work_out(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9",
        "(9**999)**999",
        "9.0**9999",
        "10**400*1.5",
        "(10.0**300)*(10.0**300)",
        "(-8)**0.5",
        "1+" * 150 + "1",
        "1+",
        "2 3",
        "01-02",
        "True+1",
        "1j*2",
        "'a'*3",
        "[1]*3",
        "__import__('os').getcwd()",
        "abs(-1)",
        "1 if 2 else 3",
        "a:=1",
        "~1",
        "1<<9999",
        "",
    ],
)
def test_what_is_no_sum_or_too_large_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        work_out(text)


def test_large_values_within_the_bounds_are_written_out() -> None:
    assert work_out("10**2000") == "1" + "0" * 2000


def test_a_refusal_is_an_answer(turn: Callable[..., str]) -> None:
    assert "can not work that out" in turn("what is 9**9**9")
