"""How Go's standard library reads texts and numbers, where that shows in the documents that conftest makes."""

from __future__ import annotations

import codecs
import math
import re
import struct
from decimal import Decimal

SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
"""What `unicode.IsSpace` holds for; Python's `strip()` takes four control characters more."""

INTEGRAL_LIMIT = 1e21
"""From here on, and only then, `encoding/json` writes a whole number with an exponent."""

REPLACEMENT = "\ufffd"
"""What stands for what is no character."""

_INTEGER = re.compile(
    r"([+-]?)(?:(0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+)|0[oO]?((?:_?[0-7])+)|([1-9](?:_?[0-9])*|0))", re.ASCII
)
_INTEGER_LENGTH = 40
"""More than 64 bits take with a `_` behind each digit; Python refuses to read numbers of thousands of digits."""

_FLOAT = re.compile(r"[+-]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9][0-9_]*)?")
_HEX_FLOAT = re.compile(r"[+-]?0[xX](?:[0-9a-fA-F_]+\.?[0-9a-fA-F_]*|\.[0-9a-fA-F_]+)[pP][+-]?[0-9][0-9_]*")
_WORD = re.compile(r"[+-]?(?:inf|infinity)|nan", re.IGNORECASE)
_MISPLACED = re.compile(r"(?<![0-9])_|_(?![0-9])")
_MISPLACED_HEX = re.compile(r"(?<![0-9a-fA-FxX])_|_(?![0-9a-fA-F])")

_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}


def _one_for_each_byte(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return REPLACEMENT, error.start + 1


codecs.register_error("go-replace", _one_for_each_byte)


def text(content: bytes) -> str:
    """`content` as text, with U+FFFD for each byte that is not UTF-8."""
    return content.decode("utf-8", errors="go-replace")


def number(value: float) -> int | float:
    """`value` as it is written in JSON: whole numbers have no fraction, however they were written before."""
    if value.is_integer() and abs(value) < INTEGRAL_LIMIT and (value or math.copysign(1.0, value) > 0):
        # The shortest digits that give this number again, and zeros: beyond 2^53 not those of the number itself.
        return int(value) if abs(value) <= 2**53 else int(Decimal(repr(value)))
    return value


def parse_float(word: str) -> float | None:
    """`word` as `strconv.ParseFloat` reads it (`inf` and `nan` too); None where that returns an error."""
    if _WORD.fullmatch(word):
        return float(word)
    if _FLOAT.fullmatch(word):
        value = math.nan if _MISPLACED.search(word) else float(word)
    elif _HEX_FLOAT.fullmatch(word) and not _MISPLACED_HEX.search(word):
        try:
            value = float.fromhex(word.replace("_", ""))
        except OverflowError:
            return None
    else:
        return None
    return value if math.isfinite(value) else None


def parse_int(word: str) -> int | None:
    """`word` as `strconv.ParseInt` reads it with base 0 and 64 bits; None where that returns an error."""
    match = _INTEGER.fullmatch(word)
    if match is None:
        return None
    sign, prefixed, octal, decimal = match.groups()
    if len(decimal or "") > _INTEGER_LENGTH:
        return None
    value = int(octal, 8) if octal else int(prefixed or decimal, 0)
    value = -value if sign == "-" else value
    return value if -(2**63) <= value < 2**63 else None


def fold(text: str) -> str:
    """`text` so that two are equal where `strings.EqualFold` holds: no letter becomes several."""
    return text.lower() if text.isascii() else "".join(map(_folded, text))


def _folded(character: str) -> str:
    folded = (character.casefold(), character.lower(), character)
    return next(each for each in folded if len(each) == 1)


def parse_bool(word: str) -> bool | None:
    """`word` as `strconv.ParseBool` reads it; None where that returns an error."""
    return _BOOLEANS.get(word)


def format_float(value: float, *, bits: int = 64) -> str:
    """`value` in the fewest digits that give it again, as `%v` prints it; `bits` is 32 or 64."""
    if bits == 32:
        try:
            value = _float32(value)
        except OverflowError:
            value = math.copysign(math.inf, value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    if value == 0:
        return f"{sign}0"
    written = _shortest(abs(value), bits)
    mantissa, _, exponent_text = written.partition("e")
    digits, exponent = mantissa.replace(".", "").rstrip("0") or "0", int(exponent_text)
    if exponent < -4 or exponent >= 6:
        point = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{point}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    fraction = digits[exponent + 1 :]
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def _shortest(value: float, bits: int) -> str:
    for precision in range(17):
        written = f"{value:.{precision}e}"
        again = float(written)
        if (_float32(again) if bits == 32 else again) == value:
            return written
    return f"{value:.17e}"


def _float32(value: float) -> float:
    return float(struct.unpack("<f", struct.pack("<f", value))[0])
