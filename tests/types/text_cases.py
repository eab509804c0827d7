"""Texts and bytes that something on the way could take for its own: quotes, separators, line ends, escapes, end marks."""

from __future__ import annotations

from tests.types.case import Case, text_literal

#: Fifty characters at most.
HOSTILE = (
    *("", " ", "  two  ", "trailing ", " leading", "\t", "\n", "\r", "\r\n", "a\nb", "a\rb", "a\r\nb\r\n", "\n\n\n"),
    *('"', '""', '"""', 'say "x"', "'", "''", "it's", "\\", "\\\\", '\\"', "\\'", "ends in \\", "`$$"),
    *("\\N", "\\n", "\\.", "\\.\n", "a\n\\.\nb", "\n\\.", "\\N,\\N", '"\\N"', "\\x41", "\\u0041", "\\000", "\\\n"),
    *(",", ",,", "a,b", ";", "a;b", "|", 'comma,semi;"quote"', '",', ',"', '"\n', '\n"', '"\r\n",\\N', "x'); --"),
    *("NULL", "null", "Null", "None", "NaN", "{}", "{NULL}", "[]", "0", "-0", "00", "1e5", "true", "t", "%s %(a)s {c}"),
    *("é", "e\u0301", "ﬀ", "ß", "İı", "𝔘nicode", "🎈", "👩\u200d👩\u200d👧", "🇩🇪", "日本語", "a\u0300\u0316\u0324", "\u200b"),
    *("\ufeff", "\ufeffbom", "bom\ufeff", "\ufffe", "\uffff", "\ufffd", "\U0001ffff", "\U0010ffff", "\ue000", "\ud7ff"),
    *("\u202e\u202dabc\u202c", "\u2066rtl\u2069", "\u200eאב\u200f", "\x01", "\x08", "\x0b\x0c", "\x1a", "\x1b[31m", "\x7f"),
    *("\x80", "\x85", "\xa0", "\u2028", "\u2029", "\u3000", "a\x1cb\x1d\x1e\x1f"),
)  # fmt: skip
FULL = "🎈" * 50
TEN = (
    "🎈" * 10,
    "é" * 10,
    "x" * 10,
    " " * 10,
    "x" * 9 + " ",
    " " + "🎈" * 9,
    "e\u0301" * 5,
    '"' * 10,
    "\n" * 10,
    "\\" * 10,
)
BYTES = (
    *(b"", b"\x00", b"\x00\x00\x00", b"\xff", b"\xff" * 40, bytes(range(256)), bytes(range(255, -1, -1))),
    *(b"\\x41", b"\\\\x41", b"\\N", b"\\.", b'"', b"'", b",", b"\n", b"\r\n", b"\\", b"NULL", b"\x1a", b"00", b"0x00"),
    *("🎈".encode(), b"\xf0\x9f", b"\xc3\x28", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"PGCOPY\n\xff\r\n\x00", b"\x1f\x8b\x08"),
)  # fmt: skip


def _texts(name: str, kind: str, target: str, texts: tuple[str, ...]) -> Case:
    return Case(name, kind, target, tuple((text_literal(text), text) for text in texts))


def _bytes(name: str, kind: str, values: tuple[bytes, ...]) -> Case:
    literals = tuple((f"TO_BINARY('{value.hex().upper()}', 'HEX')", value) for value in values)
    return Case(name, kind, "bytea", literals)


#: Every hostile text goes once into a text and once into a varchar(n): two columns of each, so that rows stay few.
ODD, EVEN = HOSTILE[::2], HOSTILE[1::2]

TEXT_CASES = (
    _texts("S50", "VARCHAR(50)", "character varying(50)", (*ODD, FULL)),
    _texts("S50_MORE", "TEXT(50)", "character varying(50)", EVEN),
    _texts("S", "VARCHAR", "text", (*EVEN, FULL, "x" * 70_000, '🎈\n"\\' * 20_000)),
    _texts("S_MORE", "STRING", "text", ODD),
    _texts("S10", "VARCHAR(10)", "character varying(10)", TEN),
    _texts("S1", "CHAR", "character varying(1)", ("", " ", "🎈", '"', "\\", "\n", "\r", ",", "x")),
    _texts("S3", "CHAR(3)", "character varying(3)", ("", "a  ", "  a", "   ", "🎈🎈🎈")),
    _texts("S_MOST", "VARCHAR(10485760)", "character varying(10485760)", ODD[:20]),
    _texts("S_OVER", "VARCHAR(10485761)", "text", EVEN[:20]),
    _bytes("BIN", "BINARY", BYTES),
    _bytes("BIN256", "VARBINARY(256)", BYTES[::-1]),
)
