"""What planning asks, and what the answers mean for the columns: pure functions from a request and facts to statements."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from snowmelt.config.request import MigrationRequest
from snowmelt.errors import ConfigurationError, SchemaError
from snowmelt.plan.deletes import with_mark
from snowmelt.plan.facts import (
    Snapshot,
    SourceStatistics,
    Start,
    StatisticsQuestion,
    TableFacts,
    Window,
    refuse_nanoseconds,
)
from snowmelt.plan.set_aside import build_source_keys
from snowmelt.plan.watermark import (
    build_highest,
    build_interval,
    build_since,
    build_window,
    check_watermark_type,
    is_beyond,
)
from snowmelt.sql.names import match_name
from snowmelt.types.column_plan import plan_columns
from snowmelt.types.columns import ColumnPlan, ColumnRules
from snowmelt.types.nanoseconds import build_key, find_predicates
from snowmelt.types.target_types import find_measured, find_outgrown, plan_narrow
from snowmelt.unload.chunks import (
    check_ordered,
)
from snowmelt.unload.statements import INSERTED, build_source, build_where
from snowmelt.vocabulary import (
    FileFormat,
    Mode,
    Nanoseconds,
    SchemaDrift,
    SourcePolicyRule,
)

#: Modes whose runs record what the target is a copy of.
LEAVE_STATE = frozenset({Mode.FULL, Mode.INCREMENTAL, Mode.CHANGES, Mode.COMPARE, Mode.REPAIR})


def plan_table_columns(
    request: MigrationRequest, tables: TableFacts, rules: ColumnRules | None = None
) -> ColumnPlan:
    """Each source column's place in the target.

    :param rules: instead of the request's.
    :raises SchemaError: naming the table and every column without a safe way.
    """
    with named_faults(request):
        return plan_columns(
            tables.source_columns,
            tables.target.columns,
            with_mark(request, rules or request.columns, tables.target.columns),
            FileFormat(request.file_format),
            long_names=request.policies.long_names,
            schema_drift=_find_drift(request),
        )


def _find_drift(request: MigrationRequest) -> SchemaDrift:
    """What the run does about columns: one that compares changes no target."""
    drift = SchemaDrift(request.policies.schema_drift)
    if Mode(request.mode) not in {Mode.COMPARE, Mode.REPAIR} or not drift.widens:
        return drift
    return SchemaDrift.ADD_COLUMNS if drift.adds else SchemaDrift.FAIL


def ask_statistics(
    request: MigrationRequest,
    tables: TableFacts,
    columns: ColumnPlan,
    start: Start,
    window: Window | None,
    *,
    guarded: bool = False,
) -> StatisticsQuestion:
    """What is asked of the rows that the run copies.

    :param start: where an incremental run starts.
    :param guarded: the unload looks for digits beyond the microsecond.
    :raises ConfigurationError: the watermark column has no order, or no window.
    """
    name, mode = request.watermark_column, Mode(request.mode)
    since, highest = "", None
    if name is not None and mode in LEAVE_STATE and mode is not Mode.CHANGES:
        type_ = tables.type_of(name)
        check_ordered(type_, name, "watermark_column")
        if mode is Mode.INCREMENTAL:
            check_watermark_type(type_, name, text_allowed=request.policies.text_watermark)
        highest = build_highest(name, type_)
        if mode is Mode.INCREMENTAL and window is not None:  # the watermark stays where it is
            since, highest = build_window(name, type_, *window), None
        elif request.appends:
            since, highest = build_interval(name, type_, start.watermark, start.until), None
        elif mode is Mode.INCREMENTAL:
            since = build_since(name, type_, start.watermark, request.policies.watermark_overlap)
            since = _with_set_aside(request, tables, columns, since)
    if start.changes_since is not None:
        since = INSERTED
    return StatisticsQuestion(
        where=build_where(request.source_filter or "", since),
        nanoseconds={} if guarded else columns.nanoseconds,
        highest=highest,
        measured=_find_numbers(request, tables, columns) if request.narrow_numbers else {},
    )


def _with_set_aside(request: MigrationRequest, tables: TableFacts, columns: ColumnPlan, since: str) -> str:
    """The predicate of an incremental run, with the rows that an earlier one has set aside."""
    key = [column for column in columns.columns if column.source in request.uniqueness_columns]
    names = {column.source for column in key}
    keys = [values for values in tables.target.set_aside if values.keys() == names]
    return f"{since} OR {build_source_keys(key, keys)}" if since and keys else since


def _find_numbers(request: MigrationRequest, tables: TableFacts, columns: ColumnPlan) -> dict[str, str]:
    """The whole numbers whose range is asked: all but those whose type the configuration says."""
    ruled = [name for typed in request.columns.type if (name := match_name(typed, tables.names)) is not None]
    return find_measured([column for column in columns.columns if column.source in tables.names], ruled)


def plan_fitting_columns(
    request: MigrationRequest, tables: TableFacts, statistics: SourceStatistics
) -> ColumnPlan:
    """The columns as the values need them: numbers of a new target in the smallest type that they fit.

    :raises SchemaError: numbers have outgrown the existing target, each with the ALTER that takes them.
    """
    existing = tables.target.columns
    if existing is None and statistics.ranges:
        rules = replace(request.columns, type={**request.columns.type, **plan_narrow(statistics.ranges)})
        return plan_table_columns(request, tables, rules)
    columns = plan_table_columns(request, tables)
    if existing is not None:
        where = (request.target_schema, request.target_table)
        kept = [column for column in columns.columns if column not in columns.widened]
        faults = find_outgrown(kept, existing, statistics.ranges, where)
        if faults:
            raise SchemaError(
                f"{request.source} has outgrown {'.'.join(where)}. Nothing was unloaded:", faults
            )
    return columns


def find_nanoseconds_key(request: MigrationRequest, tables: TableFacts, columns: ColumnPlan) -> str | None:
    """By what a later run knows that this one found no digits beyond the microsecond; None where it looks for none, or takes them."""
    if Nanoseconds(request.policies.nanoseconds) is not Nanoseconds.REFUSE:
        return None
    return build_key(tables.created_on, find_predicates(columns.columns))


def report_nanoseconds(request: MigrationRequest, statistics: SourceStatistics) -> str | None:
    """What the run reports of digits beyond the microsecond; None: there are none.

    :raises ValueRefused: the policy refuses them.
    """
    return refuse_nanoseconds(statistics, Nanoseconds(request.policies.nanoseconds), str(request.source))


def report_policies(request: MigrationRequest, tables: TableFacts, columns: ColumnPlan) -> str | None:
    """What the run reports of Snowflake's policies on the source; None: it has none.

    :raises ConfigurationError: the configuration refuses such a source.
    """
    if tables.policies is None:
        return None
    # The filter, and a mask of the configuration, may read columns that are not copied.
    reads_others = bool(request.source_filter or request.columns.mask)
    read = set(tables.names) if reads_others else {column.source for column in columns.columns}
    text = tables.policies.on(read).describe()
    if text is not None and SourcePolicyRule(request.policies.source_policies) is SourcePolicyRule.REFUSE:
        raise ConfigurationError(
            f"{request.source} may differ from what the connection's role sees, and the table's `source_policies` is refuse. Nothing was "
            f"unloaded. {text[0].upper()}{text[1:]}. Use a role that owns the table and that its policies let through, or set "
            "`source_policies` to report."
        )
    return text


def ask_scope(request: MigrationRequest, snapshot: str | None) -> str | None:
    """The query that counts the rows that the whole target must have after a merge; None for another run."""
    if not request.merges:
        return None
    return StatisticsQuestion(request.source_filter or "").sql(build_source(request.source.sql, snapshot))


def ask_highest(
    request: MigrationRequest,
    tables: TableFacts,
    question: StatisticsQuestion,
    snapshot: Snapshot,
    limit: str,
) -> str | None:
    """The query for the highest watermark up to the limit; None: none is beyond it.

    :param limit: the snapshot; without one, Snowflake's time when the planning began, which is before anything was read.
    """
    name = request.watermark_column
    if name is None or question.highest is None:
        return None
    type_ = tables.type_of(name)
    if not is_beyond(type_, snapshot.statistics.watermark, limit):
        return None
    highest = build_highest(name, type_, until=limit)
    source = build_source(request.source.sql, snapshot.at)
    return StatisticsQuestion(question.where, highest=highest).sql(source)


@contextmanager
def named_faults(request: MigrationRequest) -> Iterator[None]:
    """A fault found inside names the source and the target of the request."""
    try:
        yield
    except SchemaError as error:
        raise SchemaError(
            f"{request.source} → {request.target_schema}.{request.target_table}: these columns cannot be copied as they are:",
            error.faults,
        ) from error
