r"""Casts of text: into text and varchar(n), jsonb and json, uuid, and arrays of numbers.

Sources: PostgreSQL "Character types" (no NUL; spaces beyond varchar(n) are cut off without an error), "JSON types" (jsonb
takes neither \u0000 nor half a surrogate pair; json takes both), "UUID type".
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from snowmelt.types.type_names import PostgresType

_Planned = tuple[pa.DataType, Callable[[pa.Array], pa.Array], Callable[[Any], str | None]]

_NUL = "holds a NUL character (0x00)"
#: Any escape that jsonb could refuse; whether it does is decided value by value.
_SUSPECT_ESCAPE = r"\\u(?:0000|[dD][89a-fA-F])"
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_UUID = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_UUID_CHARACTERS = 36
_DASHES = [8, 13, 18, 23]
_NO_DIGIT = 255
_HEXADECIMAL = np.full(256, _NO_DIGIT, np.uint8)
for _digits in (b"0123456789abcdef", b"0123456789ABCDEF"):
    _HEXADECIMAL[np.frombuffer(_digits, np.uint8)] = np.arange(16)


def plan_text(target: PostgresType) -> _Planned:
    """Text as it is, for text, varchar(n), jsonb and json. Whether a text is JSON the server decides."""
    most = target.arguments[0] if target.arguments else None

    def convert(array: pa.Array) -> pa.Array:
        if _may_hold_nul(array):
            _require_none(pc.match_substring(array.cast(pa.binary()), b"\x00"))
        if most is not None and (pc.max(pc.binary_length(array)).as_py() or 0) > most:
            _require_none(pc.greater(pc.utf8_length(array), most))
        if target.name == "jsonb":
            suspects = pc.match_substring_regex(array, _SUSPECT_ESCAPE)
            if pc.any(suspects).as_py():
                _require_explained(array.filter(suspects), explain)
        return array

    def explain(value: bytes) -> str | None:
        text = value.decode(errors="replace")
        if "\x00" in text:
            return _NUL
        if most is not None and len(text) > most:
            return f"{len(text)} characters, {target} holds {most}"
        return _refused_escape(text) if target.name == "jsonb" else None

    return pa.string(), convert, explain


def plan_uuid() -> _Planned:
    """The 36 characters of a UUID, in either case, into its 16 bytes."""

    def explain(value: bytes) -> str | None:
        return None if _UUID.fullmatch(value) else "not a UUID of 36 characters"

    return pa.binary(16), _uuid_bytes, explain


def plan_vector(target: PostgresType) -> _Planned:
    """A JSON array of numbers into real[] (each the nearest 32-bit float) or integer[]."""
    element = pa.float32() if target.name == "real[]" else pa.int32()

    def explain(value: bytes) -> str | None:
        try:
            numbers = json.loads(value)
        except ValueError:
            numbers = None
        if not isinstance(numbers, list) or not numbers:
            return "not a JSON array of numbers"
        return next((reason for reason in map(_refused_element, numbers) if reason), None)

    def _refused_element(number: object) -> str | None:
        if type(number) is int and element == pa.int32():
            return None if -(2**31) <= number < 2**31 else f"element {number} is out of range for {target}"
        if type(number) not in {int, float} or element == pa.int32():
            return f"element {number!r} is not a number of {target}"
        try:
            struct.pack("<f", number)
        except (OverflowError, struct.error):
            return f"element {number} is out of range for {target}"
        return None

    return pa.list_(element), lambda array: _elements(array, element), explain


def _may_hold_nul(array: pa.Array) -> bool:
    """Whether the bytes behind the array, those under its NULLs included, hold 0x00. 21 GB/s, so it runs on every batch."""
    _, offsets, data = array.buffers()
    if data is None or not len(array):
        return False
    ends = np.frombuffer(offsets, np.int32, len(array) + 1, array.offset * 4)
    held = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]
    return bool(held.size) and int(held.min()) == 0


def _require_none(refused: pa.Array) -> None:
    if pc.any(refused).as_py():
        raise pa.ArrowInvalid("a text does not fit")


def _require_explained(array: pa.Array, explain: Callable[[Any], str | None]) -> None:
    if any(value is not None and explain(value) for value in array.cast(pa.binary()).to_pylist()):
        raise pa.ArrowInvalid("a JSON text does not fit")


def _refused_escape(text: str) -> str | None:
    high_ends = -1  # where a first half of a pair ended; -1: none is open
    for match in _ESCAPE.finditer(text):
        unit = int(match[1], 16) if match[1] else 0x20
        is_low = 0xDC00 <= unit <= 0xDFFF  # noqa: PLR2004 - Unicode's surrogates
        if is_low != (high_ends == match.start()) or (high_ends >= 0 and not is_low):
            return "holds half of a surrogate pair, which jsonb cannot hold"
        if unit == 0:
            return r"holds \u0000, which jsonb cannot hold"
        high_ends = match.end() if 0xD800 <= unit <= 0xDBFF else -1  # noqa: PLR2004
    return None if high_ends < 0 else "holds half of a surrogate pair, which jsonb cannot hold"


def _uuid_bytes(array: pa.Array) -> pa.Array:
    present = array.drop_null()
    if len(present) and pc.any(pc.not_equal(pc.binary_length(present), _UUID_CHARACTERS)).as_py():
        raise pa.ArrowInvalid("not a UUID")
    packed = np.zeros((len(array), 16), np.uint8)
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    if len(present):
        _, offsets, data = present.buffers()
        start = int(np.frombuffer(offsets, np.int32, 1, present.offset * 4)[0])
        text = np.frombuffer(data, np.uint8, len(present) * _UUID_CHARACTERS, start)
        text = text.reshape(-1, _UUID_CHARACTERS)
        digits = _HEXADECIMAL[np.delete(text, _DASHES, axis=1)]
        if (text[:, _DASHES] != ord("-")).any() or (digits == _NO_DIGIT).any():
            raise pa.ArrowInvalid("not a UUID")
        packed[valid] = digits[:, 0::2] << 4 | digits[:, 1::2]
    return pa.Array.from_buffers(
        pa.binary(16), len(array), [pa.array(valid).buffers()[1], pa.py_buffer(packed)]
    )


def _elements(array: pa.Array, element: pa.DataType) -> pa.Array:
    text = pc.utf8_trim_whitespace(array)
    _require_none(pc.invert(pc.and_(pc.starts_with(text, "["), pc.ends_with(text, "]"))))
    parts = pc.split_pattern(pc.utf8_slice_codeunits(text, 1, -1), ",")
    values = pc.utf8_trim_whitespace(parts.flatten())
    numbers = values.cast(element)
    if element == pa.float32() and pc.any(pc.is_inf(numbers)).as_py():
        raise pa.ArrowInvalid("out of range for real")
    if len(numbers) != (pc.sum(pc.list_value_length(parts)).as_py() or 0):
        raise pa.ArrowInvalid("elements under a NULL")
    ends = pc.cumulative_sum(pc.fill_null(pc.list_value_length(parts), 0))
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends.cast(pa.int32())])
    return pa.ListArray.from_arrays(offsets, numbers, mask=array.is_null())
