"""Masks: expressions that are copied in place of a column, such as `SHA2("Name")`, each checked to be one scalar expression.

A mask comes from the configuration. It is put into the unload's SELECT list in parentheses and nowhere else.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from snowmelt.sql.names import near_misses
from snowmelt.sql.text import find_text_faults
from snowmelt.types.columns import MaskRule
from snowmelt.types.type_names import SnowflakeType

if TYPE_CHECKING:
    from sqlglot import exp

#: Functions that read or change something other than the row.
_FORBIDDEN_BEGINNINGS = (
    "BUILD_",
    "GET_PRESIGNED",
    "GET_STAGE",
    "GET_ABSOLUTE",
    "RESULT_SCAN",
    "TO_QUERY",
)


#: Types whose digits a mask may exceed unseen in CSV. Not VARCHAR (a cast cuts off) and not FLOAT (a cast may give 32 bits).
_CAST = frozenset({"NUMBER", "TIME", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ"})


def mask_expression(mask: MaskRule, kind: SnowflakeType) -> str:
    """The expression of a masked value, with no more digits than its type says.

    :param kind: the mask's type.
    """
    return f"CAST({mask.expression} AS {kind})" if kind.name in _CAST else f"({mask.expression})"


def find_mask_faults(expression: str, columns: Collection[str]) -> list[str]:
    """What is wrong with an expression; nothing when it is one scalar expression over columns of the table.

    :param columns: the table's columns, to the letter.
    """
    from sqlglot import exp

    from snowmelt.sql.text import UnreadableError, read_between

    # Two readings have to agree. Snowflake's lexical rules come first (comments, stages, variables, dollar quotes, hidden
    # characters, depth): what they refuse can make the parser stumble.
    if faults := find_text_faults(expression):
        held = "; ".join(str(fault) for fault in faults)
        return [
            f'it holds {held}. Write one expression over the row, such as SHA2("Name"), or copy from a view'
        ]
    try:
        selected = _only_projection(read_between("SELECT (", expression, "\n)"))
        alone = _only_projection(read_between("SELECT ", expression, "\n"))
        if alone is None or not isinstance(selected, exp.Paren):
            return ["it is not exactly one expression"]
        return _find_tree_faults(selected, columns)
    except UnreadableError as error:
        return [str(error)]
    except RecursionError:
        return ["it is nested too deeply to be read"]


def _only_projection(trees: list[exp.Expr | None]) -> exp.Expr | None:
    from sqlglot import exp

    if len(trees) != 1 or not isinstance(trees[0], exp.Select):
        return None
    select = trees[0]
    parts = {key for key, value in select.args.items() if value}
    if (
        parts != {"expressions"}
        or len(select.expressions) != 1
        or isinstance(select.expressions[0], exp.Alias)
    ):
        return None
    return select.expressions[0]  # type: ignore[no-any-return]


def _find_tree_faults(selected: exp.Expr, columns: Collection[str]) -> list[str]:
    from sqlglot import exp

    faults = []
    if selected.find(exp.Query, exp.Subquery, exp.DML, exp.DDL, exp.Command):
        faults.append("it holds a query; use a view instead")
    if selected.find(exp.AggFunc, exp.Window, exp.Star, exp.Placeholder, exp.Parameter, exp.SessionParameter):
        faults.append("it must give one value for one row: no aggregates, windows, * or variables")
    faults.extend(
        f"the function {function.name} is not allowed"
        for function in selected.find_all(exp.Anonymous)
        if str(function.name).upper().startswith(_FORBIDDEN_BEGINNINGS)
    )
    for column in selected.find_all(exp.Column):
        name = column.name if column.this.args.get("quoted") else column.name.upper()
        if column.table:
            faults.append(f"{column.sql(dialect='snowflake')} names a table; name the column alone")
        elif name not in columns:
            faults.append(f'the table has no column "{name}".{near_misses(name, columns)}')
    return faults
