"""The words of the configuration, the form, the plan and the ledger: one enum each.

A member's value is what is written in files, forms, plans and the ledger. A word that was used in an earlier version is an
alias: `Mode("catch_up")` is `Mode.INCREMENTAL`, so that stored plans and existing files keep their meaning.
"""

from __future__ import annotations

from enum import StrEnum


class Word(StrEnum):
    """The base of all: a word of its class, or an alias of one.

    :raises ValueError: the text is neither.
    """

    @classmethod
    def _missing_(cls, value: object) -> Word | None:
        name = _ALIASES.get(cls.__name__, {}).get(str(value))
        return None if name is None else cls(name)

    @classmethod
    def old_words(cls) -> dict[str, str]:
        """Each word of an earlier version that is still accepted → the word to write today."""
        return dict(_ALIASES.get(cls.__name__, {}))


class Mode(Word):
    """What a run does."""

    FULL = "full"  #: everything, published at once
    INCREMENTAL = "incremental"  #: rows since the last published watermark, merged by the unique key
    CHANGES = "changes"  #: what Snowflake's change tracking says has changed since the last published run
    COMPARE = "compare"  #: the whole target beside the whole source; nothing is written to the target
    REPAIR = "repair"  #: compare, then copy again the chunks that differ
    UNLOAD = "unload"  #: files and manifest only
    LOAD = "load"  #: an earlier run's files
    TEST = "test"  #: some rows through every step into a table that is dropped
    KEYS = "keys"  #: keys of the source, beside a run that removes rows by them; never chosen by a user

    @property
    def continues(self) -> bool:
        """Whether a run goes on from the state that the last published one left."""
        return self in {Mode.INCREMENTAL, Mode.CHANGES}

    @property
    def compares(self) -> bool:
        """Whether its planning compares the whole target with the whole source."""
        return self in {Mode.COMPARE, Mode.REPAIR}


class PublishMethod(Word):
    """How staged rows become the target's."""

    SWAP = "swap"  #: the staging table takes the target's name
    REPLACE = "replace"  #: DELETE of all rows and INSERT, in one transaction
    APPEND = "append"  #: INSERT
    MERGE = "merge"  #: by key: UPDATE what differs, INSERT what is new; the method of mode incremental
    REPAIR = (
        "repair"  #: within some chunks: DELETE, UPDATE and INSERT what differs; the method of mode repair
    )


class Compression(Word):
    """The compression of staged files."""

    SNAPPY = "snappy"
    GZIP = "gzip"
    NONE = "none"


class FileFormat(Word):
    """The format of staged files."""

    PARQUET = "parquet"
    CSV = "csv"

    @property
    def compressions(self) -> tuple[Compression, ...]:
        """What Snowflake can write in this format and PostgreSQL or a worker can read again; the usual one first."""
        if self is FileFormat.PARQUET:
            return (Compression.SNAPPY, Compression.NONE)
        return (Compression.NONE, Compression.GZIP)


class LoadMethod(Word):
    """How a staged file gets into PostgreSQL."""

    AUTO = "auto"  #: decided at planning; never in a plan
    COPY = "copy"  #: streamed by Airflow
    AWS_S3 = "aws_s3"  #: fetched by the database

    def find_obstacle(self, file_format: FileFormat, compression: Compression) -> str | None:
        """Why this method cannot load such files; None when it can. The one rule of what aws_s3 takes."""
        if self is not LoadMethod.AWS_S3:
            return None
        if file_format is not FileFormat.CSV:
            return f"aws_s3 loads what COPY loads, which does not include {file_format}"
        if compression is not Compression.NONE:
            return f"aws_s3 unpacks {compression} only where the object carries a Content-Encoding, which Snowflake does not set"
        return None


class BadRows(Word):
    """What happens to a row that PostgreSQL cannot hold."""

    REJECT = "reject"
    QUARANTINE = "quarantine"


class Nanoseconds(Word):
    """What happens to digits of a second beyond the sixth."""

    REFUSE = "refuse"
    TRUNCATE = "truncate"


class Deletes(Word):
    """What a merge does with the target's rows that the source no longer has."""

    AUTO = "auto"  #: decided by the mode; never in a plan
    IGNORE = "ignore"  #: they stay
    HARD = "hard"  #: they are deleted
    SOFT = "soft"  #: they are marked in a column of the target


class SchemaDrift(Word):
    """What happens to a source column that the existing target does not have, or has in a narrower type."""

    FAIL = "fail"
    ADD_COLUMNS = "add_columns"
    WIDEN_COLUMNS = "widen_columns"
    ADD_AND_WIDEN_COLUMNS = "add_and_widen_columns"

    @property
    def adds(self) -> bool:
        """Whether the target gets the column."""
        return self in {SchemaDrift.ADD_COLUMNS, SchemaDrift.ADD_AND_WIDEN_COLUMNS}

    @property
    def widens(self) -> bool:
        """Whether the target's column takes the source's type."""
        return self in {SchemaDrift.WIDEN_COLUMNS, SchemaDrift.ADD_AND_WIDEN_COLUMNS}


class OnChange(Word):
    """What a run that goes on from the last one does where the target is not as the last published run left it, or its configuration changed."""

    FAIL = "fail"  #: it stops before anything is unloaded
    FULL = "full"  #: it copies all rows, and deletes those that the source does not have
    REPAIR = "repair"  #: it compares the whole table, and copies the chunks that differ


class SnapshotRule(Word):
    """Whether all chunks of a run read the source at one instant."""

    AUTO = "auto"  #: where Snowflake has time travel for the source
    OFF = "off"  #: never
    REQUIRED = "required"  #: always: a run of a source without time travel stops


class SourcePolicyRule(Word):
    """What happens where Snowflake's policies hide rows or values of the source from the role, or may."""

    REPORT = "report"  #: what the role sees is copied, and log, page and report say so
    REFUSE = "refuse"  #: the run stops


class LongNames(Word):
    """What happens to a name of more than 63 bytes."""

    REFUSE = "refuse"
    SHORTEN = "shorten"


class Duplicates(Word):
    """What happens when one key is in several rows of an incremental run."""

    LAST = "last"  #: the row of the greatest watermark; two of the same watermark are refused
    REFUSE = "refuse"


class Verify(Word):
    """What is compared before the publish."""

    FINGERPRINT = "fingerprint"
    COUNTS = "counts"


class WholeTargetRule(Word):
    """What an incremental run compares of the whole target with the whole source."""

    KEYS = "keys"  #: the keys of all rows, by their hashes
    COUNTS = "counts"  #: the numbers of rows


class Outcome(Word):
    """Where a run is, or how it ended. The one place that says what has ended, and what ended well."""

    RUNNING = "running"
    PUBLISHED = "published"
    NOT_COMPARED = "published, not compared"  #: how much the whole target is the source is not known
    AGREES = "agrees"  #: compared, and the whole target is the source
    RECONCILED = "reconciled"  #: a run of keys, used by the publish of its incremental run
    DIFFERS = "differs"  #: compared, or published as a policy allows, and the whole target is not the source
    UNLOADED = "unloaded"
    TESTED = "tested"
    LOADED = "loaded"  #: the files of a manifest, by the load operator itself, straight into a table
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether nothing changes any more."""
        return self is not Outcome.RUNNING

    @property
    def good(self) -> bool:
        """Whether the run did what it was started for; a target that differs from its source is shown as what it is."""
        return self.ended and self not in {Outcome.FAILED, Outcome.DIFFERS}


#: Class → a word of an earlier version → the word that it means.
_ALIASES: dict[str, dict[str, str]] = {
    "Mode": {"catch_up": "incremental"},
    "PublishMethod": {"truncate": "replace"},
}
