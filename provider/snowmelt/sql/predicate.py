"""`source_filter`: the one free SQL text, checked to be a single predicate before it is put inside `WHERE ( … )`.

Two independent readings have to agree that it is harmless: Snowflake's lexical rules (`text.py`: nothing may reach out
of the parentheses) and a parser (this module: one boolean expression over the row, no query, no side effect).
The text itself is passed on, not what the parser would write: the parser judges and changes nothing.

Only functions of Snowflake's own that look at nothing but their arguments and the session may be called. A list of what is allowed, since
what is not cannot be listed: a user-defined function (which Snowflake calls by its bare name, too, when it is in the session's schema)
may call a service outside, write, or answer differently each time. Source: Snowflake "All functions (alphabetical)", scalar, context and
geospatial ones; no UDF can take a system function's name. The list is ours, and not the parser's registry: sqlglot 30 knows 755 names of
functions in its Snowflake dialect, those of all other databases among them (LEVENSHTEIN, SAFE_DIVIDE, READ_CSV), which in Snowflake can be
names of user-defined functions; it lacks 55 of these; and its next version may know others.

No other object may be asked unless the configuration says so (`filter_subqueries`): a subquery reads at another moment than the
snapshot, and again for each chunk. A view does both better.
A leading WHERE is refused with a hint, as what is stored and shown is then exactly what is in the statement.
The current date and time are allowed (`"DAY" >= DATEADD(day, -30, CURRENT_DATE())`): each chunk's statement reads them
again, and the count of rows over all chunks stops a run in which they moved. RANDOM and its like are refused, since no two
chunks would agree on them.

This module imports the parser (about 0.3 s): it belongs into a task, never into a DAG file.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp
from sqlglot.optimizer.annotate_types import annotate_types

from snowmelt.errors import ConfigurationError
from snowmelt.sql.text import UnreadableError, find_text_faults, read_between, read_pieces

FUNCTIONS = frozenset(
    """
    ABS ACOS ACOSH ADD_MONTHS ARRAYS_OVERLAP ARRAYS_TO_OBJECT ARRAYS_ZIP ARRAY_APPEND ARRAY_CAT ARRAY_COMPACT ARRAY_CONSTRUCT
    ARRAY_CONSTRUCT_COMPACT ARRAY_CONTAINS ARRAY_DISTINCT ARRAY_EXCEPT ARRAY_FLATTEN ARRAY_GENERATE_RANGE ARRAY_INSERT
    ARRAY_INTERSECTION ARRAY_MAX ARRAY_MIN ARRAY_POSITION ARRAY_PREPEND ARRAY_REMOVE ARRAY_REMOVE_AT ARRAY_REVERSE ARRAY_SIZE
    ARRAY_SLICE ARRAY_SORT ARRAY_TO_STRING ASCII ASIN ASINH AS_ARRAY AS_BINARY AS_BOOLEAN AS_CHAR AS_DATE AS_DECIMAL AS_DOUBLE
    AS_INTEGER AS_NUMBER AS_OBJECT AS_REAL AS_TIME AS_TIMESTAMP_LTZ AS_TIMESTAMP_NTZ AS_TIMESTAMP_TZ AS_VARCHAR ATAN ATAN2 ATANH
    BASE64_DECODE_BINARY BASE64_DECODE_STRING BASE64_ENCODE BITAND BITNOT BITOR BITSHIFTLEFT BITSHIFTRIGHT BITXOR BIT_LENGTH
    BOOLAND BOOLNOT BOOLOR BOOLXOR CASE_INSENSITIVE CAST CBRT CEIL CHAR CHARINDEX CHECK_JSON CHECK_XML CHR COALESCE COLLATE
    COLLATION COMPRESS CONCAT CONCAT_WS CONTAINS CONVERT_TIMEZONE COS COSH COT CURRENT_ACCOUNT CURRENT_DATABASE CURRENT_DATE
    CURRENT_ORGANIZATION_NAME CURRENT_REGION CURRENT_ROLE CURRENT_SCHEMA CURRENT_SESSION CURRENT_TIME CURRENT_TIMESTAMP
    CURRENT_USER CURRENT_VERSION CURRENT_WAREHOUSE DATE DATEADD DATEDIFF DATE_FROM_PARTS DATE_PART DATE_TRUNC DAY DAYNAME
    DAYOFMONTH DAYOFWEEK DAYOFWEEKISO DAYOFYEAR DECODE DECOMPRESS_BINARY DECOMPRESS_STRING DEGREES DIV0 DIV0NULL EDITDISTANCE
    ENDSWITH EQUAL_NULL EXP EXTRACT FACTORIAL FLOOR GET GETBIT GETDATE GET_IGNORE_CASE GET_PATH GREATEST GREATEST_IGNORE_NULLS
    HASH HAVERSINE HEX_DECODE_BINARY HEX_DECODE_STRING HEX_ENCODE HOUR IFF IFNULL ILIKE INITCAP IS_ARRAY IS_BINARY IS_BOOLEAN
    IS_CHAR IS_DATE IS_DATE_VALUE IS_DECIMAL IS_DOUBLE IS_INTEGER IS_NULL_VALUE IS_OBJECT IS_REAL IS_TIME IS_TIMESTAMP_LTZ
    IS_TIMESTAMP_NTZ IS_TIMESTAMP_TZ IS_VARCHAR JAROWINKLER_SIMILARITY JSON_EXTRACT_PATH_TEXT LAST_DAY LEAST LEAST_IGNORE_NULLS
    LEFT LEN LENGTH LIKE LN LOCALTIME LOCALTIMESTAMP LOG LOWER LPAD LTRIM MD5 MD5_BINARY MD5_HEX MD5_NUMBER_LOWER64
    MD5_NUMBER_UPPER64 MINUTE MOD MONTH MONTHNAME MONTHS_BETWEEN NEXT_DAY NULLIF NULLIFZERO NVL NVL2 OBJECT_CONSTRUCT
    OBJECT_DELETE OBJECT_INSERT OBJECT_KEYS OBJECT_PICK OCTET_LENGTH PARSE_IP PARSE_JSON PARSE_URL PARSE_XML PI POSITION POW
    POWER PREVIOUS_DAY QUARTER RADIANS REGEXP REGEXP_COUNT REGEXP_INSTR REGEXP_LIKE REGEXP_REPLACE REGEXP_SUBSTR
    REGEXP_SUBSTR_ALL REPEAT REPLACE REVERSE RIGHT RLIKE ROUND RPAD RTRIM RTRIMMED_LENGTH SECOND SHA1 SHA1_BINARY SHA1_HEX SHA2
    SHA2_BINARY SHA2_HEX SIGN SIN SINH SOUNDEX SPACE SPLIT SPLIT_PART SQRT SQUARE STARTSWITH STRIP_NULL_VALUE STRTOK
    STRTOK_TO_ARRAY ST_AREA ST_ASTEXT ST_ASWKT ST_CONTAINS ST_DISTANCE ST_DWITHIN ST_GEOHASH ST_INTERSECTS ST_MAKEPOINT
    ST_WITHIN ST_X ST_Y SUBSTR SUBSTRING SYSDATE TAN TANH TIME TIMEADD TIMEDIFF TIMESTAMPADD TIMESTAMPDIFF TIMESTAMP_FROM_PARTS
    TIMESTAMP_LTZ_FROM_PARTS TIMESTAMP_NTZ_FROM_PARTS TIMESTAMP_TZ_FROM_PARTS TIME_FROM_PARTS TIME_SLICE TO_ARRAY TO_BINARY
    TO_BOOLEAN TO_CHAR TO_DATE TO_DECIMAL TO_DOUBLE TO_GEOGRAPHY TO_GEOMETRY TO_JSON TO_NUMBER TO_NUMERIC TO_OBJECT TO_TIME
    TO_TIMESTAMP TO_TIMESTAMP_LTZ TO_TIMESTAMP_NTZ TO_TIMESTAMP_TZ TO_VARCHAR TO_VARIANT TO_XML TRANSLATE TRIM TRUNC TRUNCATE
    TRY_BASE64_DECODE_BINARY TRY_BASE64_DECODE_STRING TRY_CAST TRY_HEX_DECODE_BINARY TRY_HEX_DECODE_STRING TRY_PARSE_JSON
    TRY_TO_BINARY TRY_TO_BOOLEAN TRY_TO_DATE TRY_TO_DECIMAL TRY_TO_DOUBLE TRY_TO_GEOGRAPHY TRY_TO_GEOMETRY TRY_TO_NUMBER
    TRY_TO_NUMERIC TRY_TO_TIME TRY_TO_TIMESTAMP TRY_TO_TIMESTAMP_LTZ TRY_TO_TIMESTAMP_NTZ TRY_TO_TIMESTAMP_TZ TYPEOF UNICODE
    UPPER VECTOR_COSINE_SIMILARITY VECTOR_INNER_PRODUCT VECTOR_L1_DISTANCE VECTOR_L2_DISTANCE WEEK WEEKISO WEEKOFYEAR
    WIDTH_BUCKET XMLGET YEAR YEAROFWEEK YEAROFWEEKISO ZEROIFNULL
    """.split()
)
#: Words that precede a bracket and are not calls.
_WORDS = frozenset(
    """
    ALL AND ANY AS BETWEEN CASE DISTINCT ELSE ESCAPE FROM ILIKE IN IS LIKE NOT OR RLIKE THEN WHEN XOR
    """.split()
)
#: Words and functions over many rows that a subquery brings along.
_QUERY_WORDS = frozenset(
    """
    AVG BY COUNT COUNT_IF EXISTS HAVING JOIN MAX MIN ON SELECT SUM UNION USING WHERE
    """.split()
)
#: Types with arguments, behind `::` or AS alone.
_TYPES = frozenset(
    """
    BINARY CHAR CHARACTER DATETIME DECIMAL NUMBER NUMERIC NVARCHAR STRING TEXT TIME TIMESTAMP TIMESTAMP_LTZ TIMESTAMP_NTZ
    TIMESTAMP_TZ VARBINARY VARCHAR VECTOR
    """.split()
)


def find_unknown_functions(text: str, *, subqueries: bool = False) -> list[str]:
    """Every call in an SQL expression that is not one of `FUNCTIONS`, by its name as it is written.

    :param text: one that `find_text_faults` has nothing against.
    """
    pieces = read_pieces(text)
    words = _WORDS | _QUERY_WORDS if subqueries else _WORDS
    unknown: list[str] = []
    for place, (kind, piece) in enumerate(pieces[:-1]):
        if pieces[place + 1][1] != "(" or kind not in {"word", "quoted"}:
            continue
        before = pieces[place - 1][1].upper() if place else ""
        word = piece.upper()
        fine = kind == "word" and before != "." and (word in FUNCTIONS or word in words)
        if (
            not (fine or (kind == "word" and word in _TYPES and before in {"::", "AS"}))
            and piece not in unknown
        ):
            unknown.append(piece)
    return unknown


_EXAMPLE = """Write one condition, such as "Clinic" = 'North' AND LAST_MODIFIED >= '2024-01-01'."""

#: What is true or false for a row. A function or column may be, where the parser does not know its type.
_BOOLEAN = (
    exp.Connector,
    exp.Not,
    exp.Predicate,
    exp.Escape,
    exp.Boolean,
    exp.Column,
    exp.Func,
    exp.Cast,
    exp.JSONExtract,
    exp.Bracket,
)
_BOOLEAN_TYPES = {exp.DType.BOOLEAN, exp.DType.VARIANT, exp.DType.UNKNOWN}
#: Kinds of nodes that are allowed nowhere, and how each is called.
_REFUSED_ANYWHERE: tuple[tuple[tuple[type, ...], str], ...] = (
    ((exp.Values, exp.UDTF, exp.Lateral), "a table function or list of rows, {0}: use a view instead"),
    ((exp.DML, exp.DDL, exp.Command, exp.Use, exp.Set, exp.Into), "a statement, {0}"),
    ((exp.Placeholder, exp.Parameter, exp.SessionParameter), "a variable, {0}: write its value"),
)
#: What belongs to a query. Allowed within one, where the configuration allows a query.
_REFUSED_NODES: tuple[tuple[tuple[type, ...], str], ...] = (
    (
        (exp.Query, exp.From, exp.Join, exp.Table),
        "a query or table, {0}: use a view instead",
    ),
    *_REFUSED_ANYWHERE,
    (
        (exp.Order, exp.Limit, exp.Group, exp.Having, exp.Qualify, exp.Alias, exp.Where),
        "another clause, {0}",
    ),
    ((exp.AggFunc, exp.Window), "{0}, which looks at many rows: WHERE looks at one"),
    ((exp.Star,), "a star"),
)
_UNSTEADY = (exp.Rand, exp.Randn, exp.Uuid)
_SEQUENCE = {"NEXTVAL", "CURRVAL"}

#: Functions by name: random ones, and those that read or reach something other than the row.
_REFUSED_FUNCTIONS = frozenset(
    {
        "FLATTEN",
        "GENERATOR",
        "IDENTIFIER",
        "INFER_SCHEMA",
        "LAST_QUERY_ID",
        "NORMAL",
        "RANDOM",
        "RANDSTR",
        "RESULT_SCAN",
        "SEQ1",
        "SEQ2",
        "SEQ4",
        "SEQ8",
        "SPLIT_TO_TABLE",
        "STRTOK_SPLIT_TO_TABLE",
        "TABLE",
        "TO_QUERY",
        "UNIFORM",
        "UUID_STRING",
        "VALIDATE",
        "ZIPF",
    }
)
_REFUSED_BEGINNINGS = (
    "SYSTEM$",
    "SNOWFLAKE.",
    "BUILD_SCOPED_FILE",
    "BUILD_STAGE_FILE",
    "GET_ABSOLUTE",
    "GET_PRESIGNED",
    "GET_RELATIVE",
    "GET_STAGE",
    "AI_",
)


@dataclass(frozen=True, slots=True)
class SourceFilter:
    """A predicate that may be put inside `WHERE ( … )` and nowhere else."""

    #: As it was written, without spaces around it.
    sql: str


def parse_source_filter(text: str, *, subqueries: bool = False) -> SourceFilter:
    """Check that a text is exactly one predicate of Snowflake.

    :param subqueries: it may ask other objects.
    :raises ConfigurationError: it is not; the message says what was found and where.
    """
    faults = find_filter_faults(text, subqueries=subqueries)
    if faults:
        raise ConfigurationError(f"source_filter is not one predicate. {_EXAMPLE}", tuple(faults))
    return SourceFilter(text.strip())


def find_filter_faults(text: str, *, subqueries: bool = False) -> list[str]:
    """What keeps a text from being a source filter; nothing when it is one.

    :param subqueries: it may ask other objects.
    """
    sql = text.strip()
    if not sql:
        return ["it is empty; leave the filter out to copy every row"]
    if sql[:5].upper() == "WHERE" and not sql[5:6].isalnum() and sql[5:6] not in {"_", "$"}:
        return ["it begins with WHERE at character 1; leave that word out"]
    if faults := find_text_faults(sql, subqueries=subqueries):
        return [str(fault) for fault in faults]
    try:
        return _find_grammar_faults(sql, subqueries)
    except UnreadableError as error:
        return [str(error)]
    except RecursionError:
        return ["it is nested too deeply to be read"]


def find_columns(text: str) -> set[str]:
    """The columns that a predicate names, as Snowflake stores them; empty where the text is not one."""
    try:
        inside = _read_inside(text.strip())
    except (UnreadableError, RecursionError):
        return set()
    found = inside.find_all(exp.Column) if inside is not None else ()
    return {
        column.name if isinstance(column.this, exp.Identifier) and column.this.quoted else column.name.upper()
        for column in found
    }


def _find_grammar_faults(sql: str, subqueries: bool) -> list[str]:
    inside = _read_inside(sql)
    if inside is None:
        return ["it is more than one expression"]
    return _find_tree_faults(inside, subqueries) or [
        f"the function {name}, which is not known to look at the row alone: use a view that calls it"
        for name in find_unknown_functions(sql, subqueries=subqueries)
    ]


def _read_inside(sql: str) -> exp.Expr | None:
    """What the parser finds between the parentheses of a WHERE, None when the text reaches out of them."""
    statements = read_between("SELECT 1 FROM T WHERE (", sql, "\n)")
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        return None
    select = statements[0]
    if {key for key, value in select.args.items() if value} - {"kind"} != {"expressions", "from_", "where"}:
        return None
    condition = select.args["where"].this
    if not isinstance(condition, exp.Paren):
        return None
    alone = read_between("SELECT 1 FROM T WHERE ", sql, "\n")
    same = len(alone) == 1 and isinstance(alone[0], exp.Select) and alone[0].args.get("where") is not None
    inside: exp.Expr = condition.this
    return inside if same and alone[0].args["where"].this == inside else None  # type: ignore[union-attr]


def _find_tree_faults(inside: exp.Expr, subqueries: bool) -> list[str]:
    faults: list[str] = []
    queries = [node for node in inside.walk() if subqueries and isinstance(node, exp.Query)]
    within = {id(node) for query in queries for node in query.walk()}
    for node in inside.walk():
        refused = _REFUSED_ANYWHERE if id(node) in within else _REFUSED_NODES
        reason = _refuse_node(node, refused)
        if reason and reason not in faults:
            faults.append(reason)
    if not faults:
        root = inside.unnest()
        type_ = annotate_types(root.copy(), dialect="snowflake").type
        if not isinstance(root, _BOOLEAN) or (type_ is not None and type_.this not in _BOOLEAN_TYPES):
            faults.append(f"{_show(root)} is neither true nor false for a row; compare it with something")
    return faults


def _refuse_node(node: exp.Expr, refused: tuple[tuple[tuple[type, ...], str], ...]) -> str:
    for kinds, reason in refused:
        if isinstance(node, kinds):
            return reason.format(_show(node))
    if isinstance(node, exp.Table) and not isinstance(node.this, exp.Identifier):
        return f"a stage or table function, {_show(node)}: use a view instead"
    if isinstance(node, exp.Column) and node.name.upper() in _SEQUENCE and node.table:
        return f"a sequence, {_show(node)}"
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Func):
        return f"the function {_show(node)}: only Snowflake's own functions, without a schema, are allowed"
    return _refuse_function(node)


def _refuse_function(node: exp.Expr) -> str:
    if not isinstance(node, exp.Func) or isinstance(node, exp.Connector):
        return ""
    name = (node.name if isinstance(node, exp.Anonymous) else node.sql_name()).upper()
    if isinstance(node, _UNSTEADY) or name in _REFUSED_FUNCTIONS or name.startswith(_REFUSED_BEGINNINGS):
        return f"the function {name}: a filter looks at the row alone, and gives the same answer each time"
    return ""


def _show(node: exp.Expr) -> str:
    text = node.sql(dialect="snowflake")
    return text if len(text) <= 40 else text[:39] + "…"  # noqa: PLR2004  (a glimpse is enough to find the place)
