"""Work out a sum: numbers, brackets and ``+ - * / // % **``, nothing else, within bounds."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable

Number = int | float

_MOST_BITS = 10_000
_MOST_CHARS = 200


def _power(base: Number, exponent: Number) -> Number:
    whole = isinstance(base, int) and isinstance(exponent, int)
    if whole and int(base).bit_length() * abs(exponent) > _MOST_BITS:
        raise ValueError("the value is too large")
    power = base**exponent
    if not isinstance(power, int | float):
        raise ValueError("the value is no real number")
    return power


_OPERATORS: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
_SIGNS = str.maketrans({"×": "*", "x": "*", "X": "*", "÷": "/", "^": "**", "−": "-"})


def work_out(expression: str) -> str:
    """Return the value of a sum as text.

    Raises:
        ValueError: It is no sum, or its value is too large.
        ZeroDivisionError: It divides by zero.
    """
    text = expression.strip().translate(_SIGNS)
    if len(text) > _MOST_CHARS:
        raise ValueError("the sum is too long")
    try:
        value = _value(ast.parse(text, mode="eval").body)
    except (SyntaxError, OverflowError) as error:
        raise ValueError("this is no sum, or its value is too large") from error
    return str(value) if isinstance(value, int) else format(value, ".12g")


def _value(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
            return _bounded(_OPERATORS[type(sign)](_value(left), _value(right)))
    raise ValueError("this is no sum")


def _bounded(value: Number) -> Number:
    small = value.bit_length() <= _MOST_BITS if isinstance(value, int) else math.isfinite(value)
    if not small:
        raise ValueError("the value is too large")
    return value
