r"""Semi-structured values, shapes, vectors and identifiers; read back as text, which keeps every digit.

The text on the right is jsonb's own: one space behind commas and colons, shorter keys first, characters in place of \u escapes.
"""

from __future__ import annotations

from tests.types.case import Case, text_literal

NINES = "9" * 38
#: JSON as PARSE_JSON takes it, and as jsonb prints it.
SCALARS = (
    *(("null", "null"), ("true", "true"), ("false", "false"), ('""', '""'), ('" "', '" "'), ('"null"', '"null"')),
    *(("0", "0"), ("1", "1"), ("-1", "-1"), ("0.1", "0.1"), ("-1.5", "-1.5"), ('"123"', '"123"'), ('"1e5"', '"1e5"')),
    *(("9007199254740993", "9007199254740993"), ("-9007199254740993", "-9007199254740993")),
    *(("9223372036854775807", "9223372036854775807"), ("9223372036854775808", "9223372036854775808")),
    *(("18446744073709551615", "18446744073709551615"), ("18446744073709551616", "18446744073709551616")),
    *((NINES, NINES), (f"-{NINES}", f"-{NINES}"), ("0.00000000000000000000000000000000000001",) * 2),
    *(("12345678901234567890.123456789012345678", "12345678901234567890.123456789012345678"),),
    *(('"é"', '"é"'), (r'"\u00e9"', '"é"'), (r'"\ud83c\udf88"', '"🎈"'), ('"🎈"', '"🎈"'), (r'"\u2028"', '"\u2028"')),
    *((r'"\"\\\/\b\f\n\r\t"', r'"\"\\/\b\f\n\r\t"'), (r'"\u0001"', r'"\u0001"'), (r'"\\u0000"', r'"\\u0000"')),
    *((r'"\\N"', r'"\\N"'), (r'"\\."', r'"\\."'), (r'"a\n\\.\nb"', r'"a\n\\.\nb"'), ('"a,b;c"', '"a,b;c"')),
    *(("\"it's\"", "\"it's\""), ('"\ufeff"', '"\ufeff"'), ('"\uffff"', '"\uffff"'), ('"e\u0301"', '"e\u0301"')),
    *(('"\\\\x41"', '"\\\\x41"'), ('"{}"', '"{}"'), ('"  x  "', '"  x  "'), ('"NaN"', '"NaN"')),
)  # fmt: skip
OBJECTS = (
    ("{}", "{}"),
    ('{"a":null}', '{"a": null}'),
    ('{"bb":1,"a":[1.5,"x,y",{"c":[]}]}', '{"a": [1.5, "x,y", {"c": []}], "bb": 1}'),
    ('{"":"","\\"q\\"":"\\"","é":"🎈","k.k":{"x y":[null]}}', '{"": "", "é": "🎈", "\\"q\\"": "\\"", "k.k": {"x y": [null]}}'),
    (f'{{"n":{NINES},"m":[0.1,-0.1,9007199254740993]}}', f'{{"m": [0.1, -0.1, 9007199254740993], "n": {NINES}}}'),
    ('{"t":"2024-02-29","u":"\\ud83c\\udf88\\n"}', '{"t": "2024-02-29", "u": "🎈\\n"}'),
)  # fmt: skip
ARRAYS = (
    ("[]", "[]"),
    ("[null]", "[null]"),
    ("[[],[[]],{}]", "[[], [[]], {}]"),
    ('[1,"1",1.5,true,false,null,"",{"a":1}]', '[1, "1", 1.5, true, false, null, "", {"a": 1}]'),
    (f"[{NINES},-{NINES},0.00000000000000000001]", f"[{NINES}, -{NINES}, 0.00000000000000000001]"),
    ('["\\\\N","\\\\.",",","\\n","\\"","🎈"]', '["\\\\N", "\\\\.", ",", "\\n", "\\"", "🎈"]'),
    ("[" * 200 + "]" * 200, "[" * 200 + "]" * 200),
)
SHAPES = (
    ("POINT(1 2)",) * 2,
    ("POINT(-122.35 37.55)",) * 2,
    ("POINT(-0.00000001 12.345678901234567)",) * 2,
    ("LINESTRING(0 0,1.5 -1.5,179.999999999 -89.999999999)",) * 2,
    ("POLYGON((0 0,10 0,10 10,0 10,0 0),(2 2,4 2,4 4,2 4,2 2))",) * 2,
    ("MULTIPOINT((1 1),(2 2))",) * 2,
    ("GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(0 0,1 1))",) * 2,
)
UUIDS = (
    *("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    *("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "01234567-89ab-cdef-fedc-ba9876543210"),
)


def _json(name: str, kind: str, pairs: tuple[tuple[str, str], ...]) -> Case:
    values = tuple((f"PARSE_JSON({text_literal(text)})::{kind}", kept) for text, kept in pairs)
    return Case(name, kind, "jsonb", values, "{c}::text")


def _shapes(name: str, kind: str, srid: int) -> Case:
    values = tuple((f"TO_{kind}({text_literal(text)})", f"SRID={srid};{kept}") for text, kept in SHAPES)
    return Case(name, kind, "text", values)


def _vector(name: str, element: str, target: str, *pairs: tuple[str, str]) -> Case:
    kind = f"VECTOR({element}, 3)"
    return Case(name, kind, target, tuple((f"{text}::{kind}", kept) for text, kept in pairs), "{c}::text")


NESTED_CASES = (
    _json("V", "VARIANT", (*SCALARS, *OBJECTS, *ARRAYS)),
    _json("O", "OBJECT", OBJECTS),
    _json("A", "ARRAY", ARRAYS),
    _shapes("GEOG", "GEOGRAPHY", 4326),
    _shapes("GEOM", "GEOMETRY", 0),
    _vector(
        "VF",
        "FLOAT",
        "real[]",
        ("[0, -1.5, 2.25]", "{0,-1.5,2.25}"),
        ("[0.1, 0.2, 0.3]", "{0.1,0.2,0.3}"),
        ("[3.4028235e38, -3.4028235e38, 1.17549435e-38]", "{3.4028235e+38,-3.4028235e+38,1.1754944e-38}"),
        ("[1e-45, -1e-45, 16777217]", "{1e-45,-1e-45,1.6777216e+07}"),
    ),
    _vector(
        "VI",
        "INT",
        "integer[]",
        ("[0, 1, -1]", "{0,1,-1}"),
        ("[2147483647, -2147483648, 7]", "{2147483647,-2147483648,7}"),
    ),
    Case("U", "UUID", "uuid", tuple((f"'{text}'::UUID", text) for text in UUIDS), "{c}::text"),
    Case("U_UPPER", "UUID", "uuid", tuple((f"'{text.upper()}'::UUID", text) for text in UUIDS), "{c}::text"),
)
