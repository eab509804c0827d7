"""The whole target after a publish: it must have the rows of the source at the snapshot, and its state is recorded. In the publish transaction."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import Any

import psycopg

from snowmelt.errors import VerificationError
from snowmelt.ledger.files import read_rejected_rows
from snowmelt.ledger.runs import read_overtaken, write_watermark
from snowmelt.ledger.state import (
    delete_state,
    forget_set_aside,
    read_identity,
    read_owners,
    read_set_aside,
    read_state,
    write_rows,
    write_set_aside,
    write_state,
)
from snowmelt.plan.plan import Plan
from snowmelt.plan.set_aside import MAX_KEYS, Key, build_target_keys, find_keys
from snowmelt.publish.request import PublishResult
from snowmelt.publish.row_statements import build_count
from snowmelt.sql.names import join_predicates
from snowmelt.state import TargetState, find_other_owners, refuse_other_owners
from snowmelt.steps.whole_source import NotCompared, SourceKeys, WholeSource
from snowmelt.vocabulary import Deletes, Duplicates, Mode, Outcome, PublishMethod

log = logging.getLogger(__name__)

Cursor = psycopg.Cursor[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeTarget:
    """The whole target beside the source, as counted in the publish transaction."""

    #: How both were compared: `values`, `keys`, or `rows` by their numbers; empty where nothing was compared.
    compared: str = "rows"
    #: Why keys were not compared where numbers can hide a difference; empty otherwise.
    note: str = ""
    #: Rows of the source at the snapshot under the filter; None where they were not counted.
    source_rows: int | None
    #: Rows of the target after the publish.
    target_rows: int
    #: At least this many rows of the source are not in the target, or of the target not in the source.
    missing: int = 0
    extra: int = 0
    #: At least this many rows of one key have other values: by the comparison of values, or since their new versions were set aside.
    changed: int = 0
    #: Mode changes: rows that were set aside since all rows were copied: the target may lack them, or have their older versions.
    set_aside: int = 0
    #: Why a difference is allowed; empty without one.
    reason: str = ""

    @property
    def outcome(self) -> Outcome:
        """How the run ends."""
        if not self.compared:
            return Outcome.NOT_COMPARED
        differs = self.missing or self.extra or self.changed or self.set_aside
        return Outcome.DIFFERS if differs else Outcome.PUBLISHED


def check_whole_target(
    cursor: Cursor,
    plan: Plan,
    result: PublishResult,
    source: WholeSource,
    keys: SourceKeys | NotCompared | None,
    *,
    rejected: int,
) -> WholeTarget:
    """Count the target's rows, and compare them or their keys with the source's.

    :param keys: what `source.read_keys` gave before.
    :param rejected: rows of this run that the quarantine keeps out of the target.
    :raises VerificationError: rows are missing or extra and no policy allows it: the transaction is to be rolled back.
    """
    row = cursor.execute(build_count(plan.target_schema, plan.target_table, plan.counted)).fetchone()
    rows = int(row[0]) if row else 0
    _refuse_shrink(plan, result, rows)
    expected = plan.scope_rows
    if expected is None:
        return WholeTarget(compared="", source_rows=None, target_rows=rows)
    if isinstance(keys, SourceKeys):
        found = source.compare(cursor, keys)
        missing, extra = found.missing, found.extra
        expected = rows + missing - extra if found.exact else expected
    else:
        once = plan.mode is Mode.INCREMENTAL and plan.publish is None and plan.duplicates is Duplicates.LAST
        if once and rows < expected:
            distinct = source.count_keys()
            expected = expected if distinct is None else distinct
        missing, extra = max(0, expected - rows), max(0, rows - expected)
    aside = rejected + _read_missing(cursor, plan)
    changed, set_aside = _count_older(cursor, plan), _count_set_aside(cursor, plan, rejected)
    reason = _find_reason(plan, missing, extra, aside - changed)
    if changed and not (missing or extra):
        reason = f"{aside:,} rows were set aside (snowmelt.rejected_row)"
    if set_aside and not (missing or extra):
        reason = "mode changes does not copy them again: run mode repair once they are corrected (snowmelt.rejected_row)"
    whole = WholeTarget(
        compared="values" if plan.mode is Mode.REPAIR else "keys" if isinstance(keys, SourceKeys) else "rows",
        note=keys.reason if isinstance(keys, NotCompared) else "",
        source_rows=expected,
        target_rows=rows,
        missing=missing,
        extra=extra,
        changed=changed,
        set_aside=set_aside,
        reason=reason,
    )
    if (missing or extra) and not whole.reason:
        what = " and ".join(
            text
            for count, text in (
                (missing, f"{missing:,} rows are missing"),
                (extra, f"it has {extra:,} rows that the source does not have"),
            )
            if count
        )
        raise VerificationError(
            f"{plan.target} would not be the whole of {plan.source}: the source has {expected:,} rows at the snapshot "
            f"{plan.snapshot}, the target would have {rows:,}: {what}. Nothing was published. Something changed the target since it was "
            "filled, or rows were added below the watermark. Run mode full, or set on_change to full and start a new run."
        )
    if whole.reason:
        log.warning(
            "%s has %s rows, its source %s: %s", plan.target, f"{rows:,}", f"{expected:,}", whole.reason
        )
    return whole


def _find_reason(plan: Plan, missing: int, extra: int, set_aside: int) -> str:
    """The policies that allow the difference; empty where one is not allowed, or without a difference."""
    appends = plan.mode is Mode.FULL and plan.publish is PublishMethod.APPEND
    merges = plan.mode.continues and plan.publish is None
    keeps = merges and plan.keys is None and plan.deletes is Deletes.IGNORE
    either = (
        (
            plan.snapshot is None,
            "without time travel the source was counted at another moment than it was read",
        ),
        (appends, "publish append adds to the rows that the target had"),
        (plan.backfill, "a backfill copies the rows of its window alone"),
    )
    of_missing = (
        *either,
        (missing <= set_aside, f"{set_aside:,} rows were set aside (snowmelt.rejected_row)"),
    )
    of_extra = (*either, (keeps, "rows that the source no longer has stay (deletes is ignore)"))
    reasons = [
        next((reason for holds, reason in policies if holds), "")
        for count, policies in ((missing, of_missing), (extra, of_extra))
        if count
    ]
    return "; ".join(dict.fromkeys(reasons)) if all(reasons) else ""


def _count_set_aside(cursor: Cursor, plan: Plan, rejected: int) -> int:
    """Rows that this run and earlier ones have set aside and that no later change brings, since none may come."""
    if plan.changes_since is None:
        return 0
    return rejected + len(read_set_aside(cursor, plan.target, plan.owned_rows, MAX_KEYS))


def _count_older(cursor: Cursor, plan: Plan) -> int:
    """Rows that were set aside and whose older versions stay in the target, which a merge does not replace.

    Those of earlier runs are among them where this one does not copy them again.
    """
    if plan.mode is not Mode.INCREMENTAL or plan.publish is not None:
        return 0
    keys = _find_rejected_keys(cursor, plan)
    if not plan.takes_again and not plan.copies_everything:
        keys = (*keys, *read_set_aside(cursor, plan.target, plan.owned_rows, MAX_KEYS))
    if not keys:
        return 0
    where = join_predicates(plan.counted, f"({build_target_keys(plan.key_columns, keys)})")
    row = cursor.execute(build_count(plan.target_schema, plan.target_table, where)).fetchone()
    return int(row[0]) if row else 0


def _find_rejected_keys(cursor: Cursor, plan: Plan) -> tuple[Key, ...]:
    """The unique keys of the rows that this run has set aside, as far as they are known."""
    rows = read_rejected_rows(cursor, plan.run_id)
    return tuple(key for row in rows for key in find_keys([row], plan.key_columns) or ())


def _read_missing(cursor: Cursor, plan: Plan) -> int:
    """Rows that earlier runs have set aside and this run does not copy again, where it goes on from their state."""
    if not plan.mode.continues or plan.reload:
        return 0
    state = read_state(cursor, plan.target, plan.owned_rows)
    again = len(read_set_aside(cursor, plan.target, plan.owned_rows, MAX_KEYS)) if plan.takes_again else 0
    return 0 if state is None else max(0, state.missing - again)


def _refuse_shrink(plan: Plan, result: PublishResult, rows: int) -> None:
    """Refuse to empty the target because the source lost its rows by accident."""
    before = result.rows_before
    replaces = plan.mode in {Mode.FULL, Mode.REPAIR} and plan.publish is not PublishMethod.APPEND
    if not before or not (replaces or plan.reload) or rows >= before:
        return
    shrunk = (before - rows) * 100 / before
    if rows and shrunk <= plan.max_shrink_percent:
        return
    if plan.max_shrink_percent == 100:  # noqa: PLR2004 - percent
        return
    raise VerificationError(
        f"{plan.target} has {before:,} rows and would have {rows:,}: {shrunk:.1f} % less, and a run may shrink it by "
        f"{plan.max_shrink_percent} % at most (max_shrink_percent), never to nothing. Nothing was published. Check whether the source or the source_filter lost rows by mistake; if not, set max_shrink_percent to 100 for one run."
    )


def record_state(cursor: Cursor, plan: Plan, whole: WholeTarget) -> None:
    """Record the target's new state. A load of existing files and an append leave none: it is not known what the target is a copy of."""
    if plan.backfill:
        write_rows(cursor, plan.target, plan.owned_rows, whole.target_rows)
        return
    identity = read_identity(cursor, plan.target_schema, plan.target_table)
    appended = plan.mode is Mode.FULL and plan.publish is PublishMethod.APPEND
    if plan.scope is None or identity is None or (appended and whole.extra):
        delete_state(cursor, plan.target, plan.owned_rows)
        return
    state = TargetState(
        run_id=plan.run_id,
        target=identity,
        scope=plan.scope,
        rows=whole.target_rows,
        missing=whole.missing + whole.changed,
        snapshot=plan.snapshot,
    )
    write_state(cursor, plan.target, plan.owned_rows, state)
    _remember_set_aside(cursor, plan)


def _remember_set_aside(cursor: Cursor, plan: Plan) -> None:
    """The keys of the rows that this run has set aside, in place of those that it has copied again."""
    if not plan.copies or (plan.mode is Mode.FULL and plan.publish is PublishMethod.APPEND):
        return
    everything = plan.copies_everything
    if everything or plan.takes_again:
        forget_set_aside(cursor, plan.target, plan.owned_rows, None if everything else MAX_KEYS)
    keys = _find_rejected_keys(cursor, plan)
    write_set_aside(cursor, plan.target, plan.owned_rows, keys, plan.run_id)


def take_over(cursor: Cursor, plan: Plan) -> None:
    """The copies whose rows this publish has made its own leave no state.

    :raises ConfigurationError: there are such copies, and on_change was not full: they came while the run was under way.
    """
    identity = read_identity(cursor, plan.target_schema, plan.target_table)
    if identity is None:
        return
    source = str(plan.source)
    others = find_other_owners(read_owners(cursor, plan.target, identity.oid), plan.owned_rows, source)
    if not plan.takes_over:
        refuse_other_owners(others, plan.target, plan.owned_rows, source)
    for other in others:
        delete_state(cursor, plan.target, other.rows)


def move_watermark(cursor: Cursor, plan: Plan) -> None:
    """Move the watermark to that of the run. A backfill leaves it where it is."""
    if plan.watermark_column and plan.watermark is not None and not plan.backfill:
        write_watermark(
            cursor,
            source=str(plan.source),
            target=plan.target,
            column=plan.watermark_column,
            value=plan.watermark,
            run_id=plan.run_id,
        )


def refuse_overtaken(cursor: Cursor, plan: Plan) -> None:
    """Rows of an older snapshot never replace those of a later one, and an interval follows the one before it.

    A load of old files is requested, and a full run that appends adds rows.
    """
    state = read_state(cursor, plan.target, plan.owned_rows) if plan.follows is not None else None
    if plan.follows is not None and (state is None or state.run_id != plan.follows):
        raise VerificationError(
            f"{plan.target} is as run {state.run_id if state else 'none'} left it, and this run ({plan.run_id}) goes on from run "
            f"{plan.follows}: rows would be missed or come twice. Nothing was published. Start a new run."
        )
    if plan.mode == Mode.LOAD or plan.publish is PublishMethod.APPEND:
        return
    other = read_overtaken(cursor, plan.run_id)
    if other is not None:
        raise VerificationError(
            f"Run {other[0]} published {plan.target} as of {other[1] or 'a later moment'} while this run ({plan.run_id}, as of "
            f"{plan.snapshot or 'its beginning'}) was under way: its older rows would undo newer ones. Nothing was published. "
            "Start a new run where one is still needed."
        )


def describe(whole: WholeTarget) -> dict[str, Any]:
    """What is kept in the ledger and the report."""
    return asdict(whole)
