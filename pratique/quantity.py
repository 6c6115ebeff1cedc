"""Kubernetes resource quantities, exactly: no floating point (k8s.io/apimachinery/pkg/api/resource, the `Quantity`
grammar)."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

from pratique.errors import InputError
from pratique.shape import json_type

MAX_QUANTITY_LENGTH = 64
"""Longer strings are refused: `1e999999999` in a few bytes would otherwise become a gigabyte of digits."""

MAX_EXPONENT = 40

_QUANTITY = re.compile(
    r"(?P<sign>[+-]?)(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
    r"(?P<suffix>Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]?|[eE](?P<exponent>[+-]?[0-9]+))"
)

_SCALE = {
    "": Fraction(1),
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 10**3),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
    "P": Fraction(10**15),
    "E": Fraction(10**18),
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "Gi": Fraction(2**30),
    "Ti": Fraction(2**40),
    "Pi": Fraction(2**50),
    "Ei": Fraction(2**60),
}


def parse_quantity(value: object) -> Fraction:
    """The exact value of a quantity such as `500m`, `1.5Gi`, `2e3` or the JSON number 2.

    Raises:
        InputError: `value` is not a quantity.
    """
    if isinstance(value, bool):
        raise InputError(f"{value!r} is not a quantity; write a number such as 2, 500m or 1Gi")
    if isinstance(value, int):
        return Fraction(value)
    if isinstance(value, float | Decimal):
        value = str(value)
    if not isinstance(value, str):
        raise InputError(f"{json_type(value)} is not a quantity; write a number such as 2, 500m or 1Gi")
    if value.isascii() and value.isdecimal() and len(value) <= MAX_QUANTITY_LENGTH:  # most are; the rest costs 5 us
        return Fraction(int(value))
    match = _QUANTITY.fullmatch(value) if len(value) <= MAX_QUANTITY_LENGTH and value.isascii() else None
    if match is None:
        raise InputError(f"{value[:MAX_QUANTITY_LENGTH]!r} is not a quantity; write a number such as 2, 500m or 1Gi")
    if (exponent := match["exponent"]) is not None:
        if abs(int(exponent)) > MAX_EXPONENT:
            raise InputError(f"the exponent of the quantity {value!r} is out of range")
        scale = Fraction(10) ** int(exponent)
    else:
        scale = _SCALE[match["suffix"]]
    number = Fraction(match["number"] if not match["number"].endswith(".") else match["number"] + "0") * scale
    return -number if match["sign"] == "-" else number


def json_number(value: Fraction) -> int | float:
    """`value` as JSON can carry it: an integer wherever it is one."""
    return value.numerator if value.denominator == 1 else float(value)
