"""NUMBER(p,s) in digits alone, without arithmetic, and the type that PostgreSQL is to have for it."""

from __future__ import annotations


def write_number(unscaled: str, scale: int) -> str:
    """`-7`, scale 2 → `-0.07`: digits alone, no arithmetic."""
    sign, digits = ("-", unscaled[1:]) if unscaled.startswith("-") else ("", unscaled)
    digits = digits.rjust(scale + 1, "0")
    whole, fraction = digits[: len(digits) - scale], digits[len(digits) - scale :]
    return sign + whole + ("." if scale else "") + fraction


def postgres_type(digits: int, scale: int) -> str:
    if scale == 0 and digits <= 18:
        return "smallint" if digits <= 4 else "integer" if digits <= 9 else "bigint"
    return f"numeric({digits},{scale})"
