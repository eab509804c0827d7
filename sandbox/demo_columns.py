"""The demo's two tables, column by column: what is declared, and the Snowflake SQL that makes a row's value.

Nothing but arithmetic on the row's number, so that the same seed and size give the same rows on any Snowflake, real
or stand-in. The expressions use n, the pseudo-random integers x0 … x9 and the digits in d (see demo_data.numbers).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

SEED = 20240229
#: Multiples of n modulo a prime wander through all values before they repeat.
PRIME = 2_147_483_647
#: Squares modulo another prime look random: neighbours have nothing in common. All stays below 2 ** 63.
OTHER_PRIME = 1_000_000_007
INTEGERS, DIGIT_BLOCKS = 10, 5
FIRST_VISIT = 1_000_000
MICROSECONDS = 1_000_000
OFFSETS = ("+00:00", "-05:00", "-08:00", "+05:30", "+13:45", "-03:30", "+01:00")


@dataclass(frozen=True)
class DemoColumn:
    """`name` and `type` as CREATE TABLE has them, `value` an expression, `comment` for the catalog."""

    name: str
    type: str
    value: str
    comment: str = ""


class Numbers:
    """Expressions for pseudo-random values; each call takes other ones."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.taken = 0

    def scatter(self) -> str:
        """Of n alone, 0 … OTHER_PRIME-1: what x0 … x9 and d are made of."""
        factor, shift = self.random.randrange(10_000_019, 1_000_000_007), self.random.randrange(PRIME)
        wandering = f"MOD(n * {factor} + {shift}, {PRIME})"
        return f"MOD({wandering} * {wandering}, {OTHER_PRIME})"

    def below(self, limit: int) -> str:
        """0 … limit-1, for limits to a billion."""
        self.taken += 1
        return f"MOD(x{self.taken % INTEGERS} + {self.random.randrange(OTHER_PRIME)}, {limit})"

    def digits(self, count: int) -> str:
        """Text of `count` digits, at most 40."""
        return f"SUBSTR(d, {1 + self.random.randrange(DIGIT_BLOCKS * 9 - count)}, {count})"

    def mostly_null(self, percent: int, value: str) -> str:
        return f"CASE WHEN {self.below(100)} >= {percent} THEN {value} END"

    def one_of(self, *values: str) -> str:
        cases = " ".join(f"WHEN {place} THEN {value}" for place, value in enumerate(values))
        return f"CASE {self.below(len(values))} {cases} END"

    def date(self, first: str, days: int) -> str:
        return f"DATEADD(DAY, {self.below(days)}, '{first}'::DATE)"

    def time(self, *, microseconds: bool) -> str:
        if not microseconds:
            return f"DATEADD(SECOND, {self.below(86_400)}, '00:00:00'::TIME)"
        return f"DATEADD(MICROSECOND, {self.moment(1)}, '00:00:00'::TIME)"

    def moment(self, days: int) -> str:
        """Microseconds within that many days."""
        seconds = f"{self.below(days)} * 86400 + {self.below(86_400)}"
        return f"({seconds}) * {MICROSECONDS} + {self.below(MICROSECONDS)}"

    def local(self, first: str, days: int) -> str:
        return f"DATEADD(MICROSECOND, {self.moment(days)}, '{first} 00:00:00'::TIMESTAMP_NTZ)"

    def instant(self, first: str, days: int) -> str:
        return f"DATEADD(MICROSECOND, {self.moment(days)}, '{first} 00:00:00 +00:00'::TIMESTAMP_LTZ)"

    def with_offset(self, first: str, days: int) -> str:
        starts = self.one_of(*(f"'{first} 00:00:00 {offset}'::TIMESTAMP_TZ" for offset in OFFSETS))
        return f"DATEADD(MICROSECOND, {self.moment(days)}, {starts})"

    def amount(self, whole_digits: int, fraction_digits: int, *, negative: int = 10) -> str:
        """Text of a number; `negative` per cent of them below zero."""
        sign = f"CASE WHEN {self.below(100)} < {negative} THEN '-' ELSE '' END"
        return f"{sign} || {self.digits(whole_digits)} || '.' || {self.digits(fraction_digits)}"


def quote(text: str) -> str:
    """A string literal; control characters and backslashes by CHR, which every database reads alike."""
    pieces: list[str] = []
    plain = ""
    for character in text:
        if ord(character) < 32 or character == "\\":
            pieces += ([f"'{plain}'"] if plain else []) + [f"CHR({ord(character)})"]
            plain = ""
        else:
            plain += "''" if character == "'" else character
    if plain or not pieces:
        pieces.append(f"'{plain}'")
    return pieces[0] if len(pieces) == 1 else "(" + " || ".join(pieces) + ")"


NAMES = (
    "Zoë Núñez",
    "O'Brien, Máire",
    'José "Pepe" Gómez',
    "李小龍",
    "Αλέξανδρος",
    "Привет Мир",
    "𝄞 Música 🎵",
    "نور الدين",
    "Ng",
    " padded ",
)
NOTES = (
    "Called twice; no answer.",
    'She said "come back at 5", then hung up.',
    "first line\nsecond line\r\nthird line",
    "tab\tseparated\tvalues, and, commas",
    "C:\\temp\\new \\N is not null",
    "ends with a backslash \\",
    "𝄞𝄢 👩🏽‍⚕️ visits; naïve café",
    "'quoted' $tag$ ;-- /* not a comment */",
    "\\.",
)
STREETS = ("Main St", "Rue de l'Église", "Königsallee", "Elm Ave")
TRAPS = ("\\N", "NULL", '"', '""', ",", "\\.", "null", "\n", "\t", " ", "'", "\\", "0", "t")


def fact_columns(seed: int = SEED) -> list[DemoColumn]:
    """The columns of ANALYTICS.BI.FACTVISITCALLPERFORMANCE_CR in their order."""
    r = Numbers(seed)
    long_note = r.one_of(
        *(f"REPEAT({quote('long text, ünïcödé 𝄞; ')}, {count})" for count in (500, 900, 1400, 1999))
    )
    note = r.one_of(*map(quote, NOTES), "NULL")
    sign = r.one_of("''", "'-'")
    blob = r.one_of("''", "'00FF'", f"MD5(TO_VARCHAR({r.below(100_000)}))", "REPEAT(MD5(TO_VARCHAR(n)), 4)")
    details = (
        "PARSE_JSON('{\"visit\": ' || TO_VARCHAR(n) || ', \"big\": 9007199254740993' || "
        + r.digits(3)
        + ' || \', "exact": 0.1, "calls": [{"at": "\' || '
        + r.digits(6)
        + ' || \'", "ok": true}, null, {"note": "a \\\\"quoted\\\\" word, ü 𝄞"}], "empty": {}, "none": null}\')'
    )
    return [
        DemoColumn('"Visit Id"', "NUMBER(38,0) NOT NULL", f"{FIRST_VISIT} + n * 3 + {r.below(3)}", "grows, with gaps"),
        DemoColumn("PAYER_KEY", "NUMBER(38,0) NOT NULL", f"1 + {r.below(500)}", "DIMPAYER.PAYER_KEY"),
        DemoColumn('"Caregiver Id"', "NUMBER(18,0)", r.mostly_null(5, f"700000000000 + {r.below(5000)}")),
        DemoColumn("OFFICE_ID", "NUMBER(9,0)", r.below(300)),
        DemoColumn("VISIT_STATUS", "NUMBER(4,0)", f"{r.below(12)} - 3"),
        DemoColumn('"Call Result"', "VARCHAR(40)", r.one_of("'Answered'", "'No answer'", "'Busy'", "'Left message'", "NULL")),
        DemoColumn("VISIT_DATE", "DATE NOT NULL", r.date("2024-01-01", 730)),
        DemoColumn(
            "BIRTH_DATE",
            "DATE",
            f"CASE WHEN MOD(n, 997) = 0 THEN {r.date('0001-01-01', 700000)} WHEN MOD(n, 991) = 0 THEN '9999-12-31'::DATE"
            f" WHEN MOD(n, 11) > 0 THEN {r.date('1925-01-01', 33000)} END",
            "some before 1582, some before 1970, some at the ends",
        ),
        DemoColumn("SCHEDULED_START", "TIME(0)", r.time(microseconds=False)),
        DemoColumn("ARRIVAL_TIME", "TIME(6)", r.mostly_null(30, r.time(microseconds=True))),
        DemoColumn('"Check In"', "TIMESTAMP_TZ(6)", r.with_offset("2024-01-01", 730), "with different offsets"),
        DemoColumn('"Check Out"', "TIMESTAMP_TZ(6)", r.mostly_null(20, r.with_offset("2024-01-01", 730))),
        DemoColumn("SCHEDULED_AT", "TIMESTAMP_NTZ(6)", r.local("2024-01-01", 730)),
        DemoColumn("FIRST_CONTACT", "TIMESTAMP_NTZ(6)", r.mostly_null(90, r.local("1900-01-01", 40000))),
        DemoColumn("LOADED_AT", "TIMESTAMP_NTZ(6) NOT NULL", r.local("2025-12-01", 10)),
        DemoColumn("LAST_MODIFIED", "TIMESTAMP_LTZ(6) NOT NULL", r.instant("2024-01-01", 730), "the watermark"),
        DemoColumn("BILLED_AMOUNT", "NUMBER(19,3)", f"({r.amount(5, 3)})::NUMBER(19,3)"),
        DemoColumn("PAID_AMOUNT", "NUMBER(19,3)", r.mostly_null(40, f"({r.amount(9, 3)})::NUMBER(19,3)")),
        DemoColumn('"Unit Rate"', "NUMBER(38,10)", f"({r.amount(6, 10)})::NUMBER(38,10)"),
        DemoColumn("EXACT_TOTAL", "NUMBER(38,0)", f"({sign} || '9' || {r.digits(37)})::NUMBER(38,0)", "38 digits"),
        DemoColumn("HOURS", "FLOAT", f"({r.amount(2, 3, negative=0)})::FLOAT"),
        DemoColumn(
            "SCORE",
            "FLOAT",
            f"CASE MOD(n, 1009) WHEN 1 THEN 'NaN'::FLOAT WHEN 2 THEN 'inf'::FLOAT WHEN 3 THEN '-inf'::FLOAT WHEN 4 THEN '1e-300'::FLOAT"
            f" WHEN 5 THEN '1.7976931348623157e308'::FLOAT ELSE ({r.amount(1, 16)})::FLOAT END",
            "with NaN and infinities",
        ),
        DemoColumn("IS_BILLABLE", "BOOLEAN NOT NULL", f"{r.below(3)} > 0"),
        DemoColumn('"Is Late"', "BOOLEAN", r.one_of("TRUE", "FALSE", "NULL")),
        DemoColumn("CAREGIVER_NAME", "VARCHAR(200)", f"{r.one_of(*map(quote, NAMES))} || ' ' || TO_VARCHAR({r.below(5000)})"),
        DemoColumn('"Patient Name"', "VARCHAR(200)", f"{r.one_of(*map(quote, NAMES))} || ' ' || TO_VARCHAR(n)"),
        DemoColumn("STREET", "VARCHAR", f"TO_VARCHAR(1 + {r.below(9999)}) || ' ' || {r.one_of(*map(quote, STREETS))}"),
        DemoColumn("NOTES", "VARCHAR", f"CASE WHEN MOD(n, 2003) = 7 THEN {long_note} ELSE {note} END", "some of tens of kB"),
        DemoColumn("RARE_REMARK", "VARCHAR", r.mostly_null(90, f"'remark ' || {r.digits(12)}")),
        DemoColumn("EMPTY_OR_NULL", "VARCHAR(10)", r.one_of("''", "NULL", "'x'")),
        DemoColumn("CSV_TRAP", "VARCHAR(20)", r.one_of(*map(quote, TRAPS))),
        DemoColumn("PHONE", "VARCHAR(20)", f"'+1-' || {r.digits(3)} || '-' || {r.digits(7)}"),
        DemoColumn("SIGNATURE", "BINARY", r.mostly_null(50, f"TO_BINARY({blob}, 'HEX')")),
        DemoColumn("CHECKSUM", "BINARY(16)", "TO_BINARY(MD5(TO_VARCHAR(n)), 'HEX')"),
        DemoColumn("DETAILS", "VARIANT", f"CASE MOD(n, 13) WHEN 0 THEN NULL WHEN 1 THEN PARSE_JSON('null') WHEN 2 THEN PARSE_JSON('123456789012345678901234567890') ELSE {details} END"),
        DemoColumn("TAGS", "ARRAY", r.mostly_null(60, f"PARSE_JSON('[\"a\", ' || TO_VARCHAR({r.below(9)}) || ', null]')::ARRAY")),
        DemoColumn("ATTRIBUTES", "OBJECT", r.mostly_null(60, f"PARSE_JSON('{{\"k\": {{\"v\": ' || TO_VARCHAR({r.below(99)}) || '}}}}')::OBJECT")),
        DemoColumn("LATITUDE", "NUMBER(9,6)", f"({r.amount(2, 6, negative=50)})::NUMBER(9,6)"),
        DemoColumn("LONGITUDE", "NUMBER(9,6)", f"({r.amount(2, 6, negative=50)})::NUMBER(9,6)"),
        DemoColumn("BATCH_ID", "NUMBER(38,0)", r.mostly_null(90, r.below(1000))),
        DemoColumn('"Größe"', "VARCHAR(20)", r.one_of(*map(quote, ("klein", "groß", "größer")), "NULL")),
        DemoColumn('"select"', "VARCHAR(5)", r.one_of("'from'", "'where'", "NULL")),
    ]  # fmt: skip


def payer_columns(seed: int = SEED) -> list[DemoColumn]:
    """The columns of ANALYTICS.BI.DIMPAYER."""
    r = Numbers(seed + 1)
    kind = r.one_of("'Medicaid'", "'Medicare'", "'Private'", "'Managed care'")
    return [
        DemoColumn("PAYER_KEY", "NUMBER(38,0) NOT NULL", "n + 1", "surrogate key"),
        DemoColumn("PAYER_CODE", "VARCHAR(20) NOT NULL UNIQUE", "'P' || LPAD(TO_VARCHAR(n + 1), 5, '0')", "the payer's own code"),
        DemoColumn('"Payer Name"', "VARCHAR(200) NOT NULL", f"{r.one_of(*map(quote, NAMES))} || ' Health ' || TO_VARCHAR(n)", "name as printed"),
        DemoColumn("PAYER_TYPE", "VARCHAR(30)", kind),
        DemoColumn("STATE_CODE", "VARCHAR(2)", r.one_of("'NY'", "'NJ'", "'PA'", "'FL'", "NULL")),
        DemoColumn("CONTRACT_START", "DATE", r.date("1995-01-01", 9000)),
        DemoColumn("CONTRACT_END", "DATE", r.mostly_null(70, r.date("2024-01-01", 2000)), "NULL: still running"),
        DemoColumn("RATE", "NUMBER(19,3)", f"({r.amount(3, 3, negative=0)})::NUMBER(19,3)"),
        DemoColumn("IS_ACTIVE", "BOOLEAN NOT NULL", f"{r.below(10)} > 0"),
        DemoColumn("SETTINGS", "VARIANT", r.mostly_null(30, f"PARSE_JSON('{{\"limit\": ' || TO_VARCHAR({r.below(1000)}) || ', \"codes\": [\"T1019\", \"S5125\"]}}')")),
        DemoColumn("CREATED_AT", "TIMESTAMP_NTZ(6) NOT NULL", r.local("2015-01-01", 3000)),
        DemoColumn("LAST_MODIFIED", "TIMESTAMP_LTZ(6) NOT NULL", r.instant("2024-01-01", 730)),
    ]  # fmt: skip
