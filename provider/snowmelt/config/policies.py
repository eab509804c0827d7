"""The policies of a table: what happens to a row, a name or a change that does not fit."""

from __future__ import annotations

from typing import Annotated

from snowmelt.config.fields import (
    CompareRhythm,
    OwnedRowsText,
    TargetName,
)
from snowmelt.config.sections import MAX_ROWS
from snowmelt.config.settings import Flag, Formerly, Section, Whole, choice, setting
from snowmelt.vocabulary import (
    BadRows,
    Deletes,
    Duplicates,
    LongNames,
    Mode,
    Nanoseconds,
    OnChange,
    SchemaDrift,
    SnapshotRule,
    SourcePolicyRule,
    Verify,
    WholeTargetRule,
)

_MAX_OVERLAP = 10**12


class Policies(Section):
    """What happens to a row, name or change that does not fit."""

    owned_rows: OwnedRowsText = setting(
        None,
        "Which rows of a target that several tables fill are this table's own: a PostgreSQL predicate over columns of the target.",
        details="Such as `clinic = 'north'`: comparisons with literals, IN, BETWEEN, IS NULL, AND, OR, NOT. Counts, deletes, "
        "watermarks and comparisons are of these rows alone, and a run with a row outside of them stops. See docs/publishing.md.",
        unset="all rows",
    )
    audit_columns: Flag = setting(
        False,
        "The target has two more columns, `_snowmelt_run_id` and `_snowmelt_loaded_at`, which say by which run and when a row was written.",
        details="An existing target gets them by the next publish, with NULL in its old rows. No comparison looks at them. See "
        "docs/publishing.md.",
    )
    bad_rows: Annotated[BadRows, choice(BadRows)] = setting(
        BadRows.REJECT,
        "What happens to a row that PostgreSQL cannot hold.",
        details="The load fails and names file, row and column, or the row is set aside with its values in `snowmelt.rejected_row`.",
    )
    quarantine_limit: Annotated[int, Whole(1, MAX_ROWS)] = setting(
        1000, "Rows of a run that may be set aside before the load fails all the same."
    )
    nanoseconds: Annotated[Nanoseconds, choice(Nanoseconds)] = setting(
        Nanoseconds.REFUSE,
        "What happens to digits of a second beyond the sixth, which PostgreSQL does not have.",
    )
    schema_drift: Annotated[
        SchemaDrift,
        choice(
            {
                SchemaDrift.FAIL: "the one stops the run, the other checks each value",
                SchemaDrift.ADD_COLUMNS: "the column is added",
                SchemaDrift.WIDEN_COLUMNS: "the column takes the source's type",
                SchemaDrift.ADD_AND_WIDEN_COLUMNS: "both",
            }
        ),
    ] = setting(
        SchemaDrift.FAIL,
        "What happens to a source column that the existing target does not have, or has as a shorter VARCHAR or a smaller number.",
        details="See docs/schema-changes.md.",
    )
    long_names: Annotated[LongNames, choice(LongNames)] = setting(
        LongNames.REFUSE, "What happens to a name of more than 63 bytes."
    )
    watermark_overlap: Annotated[int, Whole(0, _MAX_OVERLAP)] | None = setting(
        None,
        "How far mode **incremental** reaches back behind the last watermark, for rows that were committed late.",
        details="Seconds of a timestamp, days of a DATE, units of a NUMBER.",
        unset="an hour, a day, nothing",
    )
    duplicates: Annotated[Duplicates, choice(Duplicates)] = setting(
        Duplicates.LAST,
        "Mode **incremental**: what happens when one key is in several rows of a run.",
        details="The row of the greatest watermark wins (two of the same are refused), or the run is refused.",
    )
    inserts_only: Flag = setting(
        False, "Mode **incremental**: rows whose key the target has are left as they are."
    )
    deletes: Annotated[
        Deletes,
        choice(
            {
                Deletes.AUTO: "deleted in mode changes, else they stay",
                Deletes.IGNORE: "they stay",
                Deletes.HARD: "they are deleted",
                Deletes.SOFT: "they are marked in the configured `deleted_column`",
            }
        ),
    ] = setting(
        Deletes.AUTO,
        "Modes **incremental** and **changes**: what happens to rows of the target that the source no longer has. A run that would delete or "
        "mark more than the table's `max_delete_percent` stops.",
        details="In mode `incremental` the keys of all rows are unloaded for it. See docs/nightly.md.",
        form=("How", "Rows missing from the source"),
        formerly=Formerly("reconcile_deletes", {"true": "hard", "false": "auto"}),
    )
    deleted_column: TargetName | None = setting(
        None,
        "The column of the target that marks a row which the source no longer has, for deletes **soft**: a boolean, or a timestamp that gets "
        "the time of the publish.",
        details="A target that a run creates gets it as `timestamptz`. No source column fills it.",
    )
    max_delete_percent: Annotated[int, Whole(0, 100)] = setting(
        10, "A run that would delete more than this share of the target, in percent, is refused."
    )
    defer_indexes: Flag = setting(
        False,
        "Publish method **append** and mode **incremental**: drop the target's plain indexes first and build them again "
        "afterwards.",
        details="Pays for large increments; readers go without them meanwhile. Indexes of an expression, or with a predicate, stay.",
    )
    verify: Annotated[
        Verify,
        choice(
            {
                Verify.FINGERPRINT: "every value, by hashes that both databases compute",
                Verify.COUNTS: "numbers of rows alone",
            }
        ),
    ] = setting(
        Verify.FINGERPRINT,
        "What has to agree before anything is published.",
        details="See docs/verification.md.",
        form=("How", "Verification"),
    )
    whole_target: Annotated[
        WholeTargetRule,
        choice(
            {
                WholeTargetRule.KEYS: "the unique keys of all rows, by hashes that both databases compute",
                WholeTargetRule.COUNTS: "numbers of rows alone",
            }
        ),
    ] = setting(
        WholeTargetRule.KEYS,
        "Mode **incremental** with deletes **ignore**: what each publish compares of the whole target with the whole source.",
        details="Beyond `fingerprint_rows`, and with `verify` `counts`, numbers of rows alone. By them, rows that the source deleted "
        "hide as many late ones. See docs/nightly.md.",
    )
    on_change: Annotated[
        OnChange,
        choice(
            {
                OnChange.FAIL: "the run stops before anything is unloaded",
                OnChange.FULL: "all rows are copied, and those that the source does not have are deleted",
                OnChange.REPAIR: "the whole table is compared, and the chunks that differ are copied again",
            }
        ),
    ] = setting(
        OnChange.FAIL,
        "Modes **incremental** and **changes**: what happens where the target is not as the last published run left it, or where source, filter, columns, "
        "masks or key are no longer the same.",
        details="A column that `schema_drift` adds is filled in all rows either way. See docs/nightly.md.",
        form=("How", "On change"),
    )
    compare: CompareRhythm = setting(
        "never",
        "How often the whole table is compared with its source, chunk by chunk, after a run that merges (mode **incremental** or **changes**).",
        details="Days and runs are counted from the last run that compared or copied all of it. Where it differs, the run ends as `differs`, "
        "and `on_change` decides what the next one does. See docs/comparing.md.",
    )
    max_shrink_percent: Annotated[int, Whole(0, 100)] = setting(
        50,
        "A full run, or one that copies all rows again, is refused before it would leave the target smaller by more than this percentage, "
        "or empty; 100 allows both.",
        form=("How", "Maximum shrinkage, in percent"),
    )
    text_watermark: Flag = setting(
        False,
        "The `watermark_column` may be a text.",
        details="Texts are in the order of their bytes, where '9' is above '10': only for texts that grow, as ISO dates do.",
    )
    filter_subqueries: Flag = setting(
        False,
        "The `source_filter` may ask other tables by subqueries.",
        details="They are read at the moment of each statement, not at the snapshot; a run in which that changed the rows stops before "
        "it publishes. A view is the better way.",
    )
    snapshot: Annotated[
        SnapshotRule,
        choice(
            {
                SnapshotRule.AUTO: "where Snowflake has time travel for the source",
                SnapshotRule.OFF: "never",
                SnapshotRule.REQUIRED: "always, or the run stops at planning",
            }
        ),
    ] = setting(
        SnapshotRule.AUTO,
        "Whether all chunks read the source at one instant.",
        details="Shared and Marketplace databases, external tables and materialized views have no time travel, nor have tables of retention "
        "0: by `auto` they are copied as each chunk finds them, and log, page and report say so. See docs/verification.md.",
    )
    source_policies: Annotated[
        SourcePolicyRule,
        choice(
            {
                SourcePolicyRule.REPORT: "what the role sees is copied; log, page and report name the policies, or say that they cannot be told",
                SourcePolicyRule.REFUSE: "the run stops at planning",
            }
        ),
    ] = setting(
        SourcePolicyRule.REPORT,
        "What happens where Snowflake has a masking, row access, projection or aggregation policy on the source, or does not tell.",
        details="Snowflake lists all policies on a table to the role that owns it. A policy may let the connection's role through: the listing "
        "does not say so. See docs/verification.md.",
    )

    def deletes_in(self, mode: Mode) -> Deletes:
        """What a merge of a mode does with rows of the target that the source no longer has."""
        if self.deletes is not Deletes.AUTO:
            return Deletes(self.deletes)
        return Deletes.HARD if mode is Mode.CHANGES else Deletes.IGNORE
