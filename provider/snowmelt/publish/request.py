"""A publish: what is requested, and what it did."""

from __future__ import annotations

from dataclasses import dataclass, field

from snowmelt.errors import ConfigurationError
from snowmelt.json_values import Rounded
from snowmelt.publish.obstacles import PublishIntent
from snowmelt.sql.names import join_predicates, postgres_identifier
from snowmelt.sql.owned_rows import OwnedRows
from snowmelt.types.columns import Column
from snowmelt.vocabulary import Deletes, Duplicates, PublishMethod


@dataclass(frozen=True, slots=True, kw_only=True)
class LockPatience:
    """How long to queue for a lock, and how long to retry. All in seconds.

    A session that waits for ACCESS EXCLUSIVE makes every later reader queue behind it: `lock_timeout` bounds that.
    """

    #: Above PostgreSQL's deadlock_timeout (1 s): a running autovacuum gives way only to those who wait that long.
    lock_timeout: float = 3.0
    #: From the first try to the last.
    give_up_after: float = 900.0
    #: The pause after the first try; doubled each time, up to the longest, and drawn between half and whole.
    first_pause: float = 0.5
    longest_pause: float = 30.0

    def pause(self, attempt: int, draw: float) -> float:
        """Seconds to wait after the try `attempt` (from 1).

        :param draw: random, 0 to 1.
        """
        whole = min(self.longest_pause, self.first_pause * 2.0 ** min(attempt - 1, 30))
        return whole * (0.5 + draw / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedMark:
    """The column of the target that marks the rows which the source no longer has, in place of their removal."""

    column: str
    #: A boolean; else a timestamp, which gets the time of the publish.
    flag: bool
    #: The publish adds it, since it creates the target.
    added: bool = False

    @property
    def name(self) -> str:
        """The column, quoted."""
        return postgres_identifier(self.column)

    @property
    def live(self) -> str:
        """The condition of a row that is not marked."""
        return f"{self.name} IS NOT TRUE" if self.flag else f"{self.name} IS NULL"

    @property
    def type(self) -> str:
        """What it is added as."""
        return "boolean" if self.flag else "timestamptz"

    @property
    def marked(self) -> str:
        """What a marked row has there."""
        return "true" if self.flag else "now()"

    @property
    def unmarked(self) -> str:
        """What any other row has there."""
        return "false" if self.flag else "NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySet:
    """Keys of the source, by which a merge finds the rows of the target that the source no longer has."""

    #: The table of the keys, in the target's schema, with the columns of the key alone.
    table: str
    #: The keys are those of rows that the source deleted; else those of all rows that it has.
    gone: bool = False
    #: Keys that were loaded, by the ledger. The table must hold exactly as many.
    expected_rows: int
    #: What the table held when it was verified (`Contents.state`); None: not recorded.
    contents: str | None = None
    #: A publish that would remove more than this share of the target is refused.
    max_delete_percent: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRequest:
    """One publish."""

    run_id: str
    method: PublishMethod
    schema: str
    table: str
    #: The staging table, in the target's schema.
    staging: str
    #: Target names of the loaded columns (all methods but swap insert just these).
    columns: tuple[str, ...] = ()
    #: Columns that the target gets by this publish; it has them already when the publish is repeated.
    added_columns: tuple[Column, ...] = ()
    #: Columns that the target has in a narrower type, and gets in theirs by this publish.
    widened_columns: tuple[Column, ...] = ()
    #: Whether the target gets audit columns, where it has none, and an UPDATE sets them.
    audit_columns: bool = False
    #: Rows that were loaded, by the ledger. The staging table must hold exactly as many.
    expected_rows: int | None = None
    #: What the staging table held when it was verified (`Contents.state`); None: not recorded.
    contents: str | None = None
    #: Merge: the key, by target names.
    uniqueness_columns: tuple[str, ...] = ()
    #: The target's rows that are the copy's own; None: all. The others are neither counted nor touched.
    own: OwnedRows | None = None
    #: Rows of the target that other copies own.
    foreign: tuple[OwnedRows, ...] = ()
    #: Merge: rows whose key is in the target already are left as they are.
    inserts_only: bool = False
    duplicates: Duplicates = Duplicates.REFUSE
    #: Merge with duplicates=last: target name of the column whose greatest value is in the last row.
    watermark_column: str | None = None
    #: Merge: the keys that say what the source no longer has; None: nothing is removed.
    keys: KeySet | None = None
    #: Merge and repair: rows that the source no longer has are marked there; None: they are deleted.
    mark: DeletedMark | None = None
    #: Repair: the predicate of the target's rows that the staged ones replace; empty: all rows.
    chunks: str = ""
    #: Repair: what the target held when it was compared (`Contents.state`).
    compared: str | None = None
    #: Count the target's rows first (a scan of the old table, readers are not held up); else rows_before is None.
    count_target: bool = True
    patience: LockPatience = field(default_factory=LockPatience)
    #: Swap: seconds to wait for transactions that began before the load ended and would see only a part of the new table
    #: (REPEATABLE READ and SERIALIZABLE; a running statement is waited for too). None: publish in spite of them.
    snapshot_wait: float | None = 600.0

    @property
    def target(self) -> str:
        """The target as a person reads it."""
        return f"{self.schema}.{self.table}"

    @property
    def altered(self) -> tuple[str, ...]:
        """Target names of the columns that are not yet as they will be."""
        return tuple(column.target for column in (*self.added_columns, *self.widened_columns))

    def live_sql(self, alias: str = "") -> str:
        """The predicate for the target's rows that have to be those of the source: its own, and not marked; empty: all."""
        live = f"{alias and f'{alias}.'}{self.mark.live}" if self.mark is not None else ""
        return join_predicates(self.own_sql(alias), live)

    def own_sql(self, alias: str = "") -> str:
        """The predicate for the target's rows that are the copy's own; empty: all.

        :param alias: of the target in the statement.
        """
        return self.own.sql(alias) if self.own else ""

    @property
    def counted(self) -> str:
        """The predicate for the target's own rows that are not marked as deleted."""
        return join_predicates(self.own_sql(), self.mark.live if self.mark else "")

    @property
    def deletes(self) -> Deletes:
        """What happens to rows that the source no longer has."""
        if self.keys is None:
            return Deletes.IGNORE
        return Deletes.HARD if self.mark is None else Deletes.SOFT

    @property
    def intent(self) -> PublishIntent:
        """What obstacles depend on."""
        return PublishIntent(
            method=self.method,
            schema=self.schema,
            table=self.table,
            columns=self.columns,
            key=self.uniqueness_columns,
            own=self.own_sql(),
            deletes=self.deletes,
            inserts_only=self.inserts_only,
        )

    def __post_init__(self) -> None:
        if self.staging == self.table:
            raise ConfigurationError(
                f"The staging table and the target are both {self.table!r}; they have to differ."
            )
        if self.method is PublishMethod.MERGE and not self.uniqueness_columns:
            raise ConfigurationError(
                f"A merge into {self.schema}.{self.table} needs uniqueness_columns: its unique key."
            )
        missing = [name for name in self.uniqueness_columns if name not in self.columns]
        if self.method is PublishMethod.MERGE and missing:
            raise ConfigurationError(
                f"uniqueness_columns of {self.schema}.{self.table} names {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} "
                "not among the copied columns. Copy them, or name others."
            )
        if self.method is not PublishMethod.SWAP and not self.columns:
            raise ConfigurationError(
                f"A publish by {self.method.value} into {self.schema}.{self.table} needs the names of its columns."
            )
        if (
            self.method is PublishMethod.MERGE
            and self.duplicates is Duplicates.LAST
            and self.watermark_column not in self.columns
        ):
            raise ConfigurationError(
                f"duplicates=last needs a watermark_column among the copied columns of {self.schema}.{self.table}; "
                f"it is {self.watermark_column!r}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishResult:
    """What a publish did, as the ledger and XComs keep it."""

    method: PublishMethod
    #: False: the run was published before, and nothing was done now.
    published: bool
    #: Rows of the target before (None when not counted, 0 when it did not exist) and after.
    rows_before: int | None
    rows_after: int | None
    inserted: int
    updated: int
    deleted: int | None
    #: Merge: staged rows that the target had already, to the byte.
    unchanged: int
    #: From the first statement to the last before the commit; of these, holding a lock that keeps readers out.
    seconds: Rounded
    locked_seconds: Rounded
    #: Tries it took to get the lock.
    attempts: int
    #: Before all that: building the staging table's indexes and keys, and its ANALYZE; of the try that published.
    index_seconds: Rounded = 0.0
