"""What the set-up's files need to know: what the configuration touches, what it does not say, and what only Snowflake knows.

The least that rights have to be given for is listed in the order of the file. A file that someone wrote by hand is never overwritten.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TypeVar

from snowmelt.config.file import Config
from snowmelt.config.table import TableConfig
from snowmelt.errors import ConfigurationError
from snowmelt.publish.rights import alters_target, publish_rights
from snowmelt.rights.iam import Partition, StagedPlace, fixed_folders
from snowmelt.rights.postgres import TargetRights
from snowmelt.rights.snowflake import SourceKind
from snowmelt.sql.names import TableName, parse_identifiers
from snowmelt.vocabulary import FileFormat, LoadMethod, Mode

#: A placeholder is written where a fact is not given; every program that reads one refuses it.
AWS_ACCOUNT = "<AWS_ACCOUNT_ID>"
AWS_REGION = "<AWS_REGION>"
IAM_USER_ARN = "<STORAGE_AWS_IAM_USER_ARN>"
EXTERNAL_ID = "<STORAGE_AWS_EXTERNAL_ID>"
RSA_PUBLIC_KEY = "<RSA_PUBLIC_KEY>"
RDS_ARN = "<RDS_INSTANCE_OR_CLUSTER_ARN>"
READER_ARN = "<ARN_OF_THE_USER_OR_ROLE_OF_AIRFLOW>"

_NAME = (r"[^\x00-\x1f\x7f\x85\u2028\u2029]+", "a name without control characters")

#: Name of a field → what it has to look like, and how an error describes that.
_SHAPES: dict[str, tuple[str, str]] = {
    "aws_account": (r"\d{12}", "12 digits"),
    "bucket_account": (r"\d{12}", "12 digits"),
    "aws_region": (r"[a-z]{2}(-[a-z]+)+-\d", "a region such as eu-west-1"),
    "iam_role": (r"[A-Za-z0-9_+=,.@-]{1,64}", "at most 64 letters, digits and _+=,.@-"),
    "rds_role": (r"[A-Za-z0-9_+=,.@-]{1,64}", "at most 64 letters, digits and _+=,.@-"),
    "iam_user_arn": (
        r"arn:aws[a-z-]*:iam::\d{12}:(user|role)/[^\s*]+",
        "an ARN such as arn:aws:iam::123456789012:user/abc1",
    ),
    "external_id": (r"[A-Za-z0-9_+=,.@:/-]{2,1224}", "2 to 1224 letters, digits and _+=,.@:/-"),
    "kms_key_arn": (
        r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+",
        "an ARN such as arn:aws:kms:eu-west-1:123456789012:key/…",
    ),
    "rds_arn": (
        r"arn:aws[a-z-]*:rds:[a-z0-9-]+:\d{12}:(db|cluster):[A-Za-z0-9-]+",
        "an ARN such as arn:aws:rds:eu-west-1:123456789012:db:mine",
    ),
    "rsa_public_key": (r"[A-Za-z0-9+/=]{200,}", "a public key's base64 text"),
}


@dataclass(frozen=True, slots=True)
class SetupFacts:
    """What is put into the files. None: a placeholder."""

    #: 12 digits; the account of the IAM roles.
    aws_account: str | None = None
    #: 12 digits; the account that owns the bucket, where it is another one.
    bucket_account: str | None = None
    #: Of the bucket.
    aws_region: str | None = None
    #: The IAM role that Snowflake assumes to write.
    iam_role: str = "snowmelt-snowflake"
    #: The IAM role of the database instance, for aws_s3 alone.
    rds_role: str = "snowmelt-rds-import"
    #: Both as DESC INTEGRATION shows them, after snowflake.sql was run.
    iam_user_arn: str | None = None
    external_id: str | None = None
    #: The key that encrypts the bucket, where one of your own does.
    kms_key_arn: str | None = None
    rds_arn: str | None = None
    #: In Snowflake; to the letter.
    snowflake_role: str = "SNOWMELT_ROLE"
    snowflake_user: str = "SNOWMELT"
    #: Where the configuration names none.
    warehouse: str = "SNOWMELT_WH"
    #: The public half alone, without its first and last line.
    rsa_public_key: str | None = None
    #: In PostgreSQL; to the letter.
    postgres_role: str = "snowmelt"
    #: Parts of a name in Snowflake, to the letter → its kind: (database, schema, table), or (database,) of an imported one. What
    #: is not named is a table.
    source_kinds: Mapping[tuple[str, ...], SourceKind] = field(default_factory=dict)
    #: Whether sources are replaced by others of the same name (dbt): SELECT on future objects of their kinds is granted.
    future_grants: bool = False

    def __post_init__(self) -> None:
        faults = []
        for each in fields(self):
            value = getattr(self, each.name)
            shape, expected = _SHAPES.get(each.name, _NAME)
            if isinstance(value, str) and not re.fullmatch(shape, value):
                faults.append(f"{each.name}: {value[:80]!r}; expected {expected}.")
        if faults:
            raise ConfigurationError("These values cannot be put into the set-up files:", tuple(faults))

    @property
    def partition(self) -> Partition:
        """The partition of the bucket's region."""
        return Partition.of_region(self.aws_region)

    @property
    def foreign_bucket(self) -> bool:
        """Whether the bucket belongs to another account than the roles."""
        return self.bucket_account is not None and self.bucket_account != self.aws_account

    def role_arn(self, role: str) -> str:
        """The ARN of an IAM role of the account."""
        return f"arn:{self.partition}:iam::{self.aws_account or AWS_ACCOUNT}:role/{role}"


def parse_source_kinds(texts: Iterable[str]) -> dict[tuple[str, ...], SourceKind]:
    """`DB.SCHEMA.NAME=view` and `DB=imported`, names as they are written in Snowflake, as SetupFacts takes them.

    :raises ConfigurationError: a text that is neither; all of them are named.
    """
    kinds: dict[tuple[str, ...], SourceKind] = {}
    faults = []
    words = ", ".join(kind.value for kind in SourceKind)
    for text in texts:
        name, _, word = text.rpartition("=")
        try:
            parts, kind = tuple(parse_identifiers(name)), SourceKind(word.strip().lower())
        except (ValueError, ConfigurationError):
            faults.append(f"{text[:80]!r}; expected DATABASE.SCHEMA.NAME=<one of {words}>.")
            continue
        if len(parts) != (1 if kind is SourceKind.IMPORTED else 3):
            faults.append(
                f"{text[:80]!r}; expected DATABASE=imported, or DATABASE.SCHEMA.NAME=<another kind>."
            )
            continue
        kinds[parts] = kind
    if faults:
        raise ConfigurationError("These kinds of sources cannot be read:", tuple(faults))
    return kinds


def parse_public_key(pem: str) -> str:
    """The base64 text of a PEM file's public key, as RSA_PUBLIC_KEY takes it.

    :raises ConfigurationError: it is not a public key; a private one is refused without being shown.
    """
    lines = [line.strip() for line in pem.strip().splitlines()]
    if any("PRIVATE KEY" in line for line in lines):
        raise ConfigurationError(
            "The file holds a private key. Give the public half: openssl rsa -in <private> -pubout -out <public>"
        )
    if len(lines) < 3 or lines[0] != "-----BEGIN PUBLIC KEY-----" or lines[-1] != "-----END PUBLIC KEY-----":  # noqa: PLR2004
        raise ConfigurationError(
            "The file holds no public key: expected -----BEGIN PUBLIC KEY----- in its first line. "
            "openssl rsa -in <private> -pubout makes one."
        )
    return "".join(lines[1:-1])


#: A template for secrets: readable by its owner alone from the start, since it will hold them.
_PRIVATE = "airflow-connections.env"


def write_setup(
    folder: Path, files: Mapping[str, str], *, replaceable: Mapping[str, str], force: bool = False
) -> list[str]:
    """Write the files that are not there yet, or would change; all or none.

    :param replaceable: file name → text that the first call may have written: such a file is replaced without `force`.
    :returns: the names of the files that were written.
    :raises ConfigurationError: a file holds something else, and `force` is not set; nothing was written. All of them are named.
    """
    present = {name: path.read_text(encoding="utf-8") for name in files if (path := folder / name).is_file()}
    changed = [name for name, text in files.items() if present.get(name) != text]
    kept = [name for name in changed if name in present and present[name] != replaceable.get(name)]
    if kept and not force:
        raise ConfigurationError(
            f"{folder} holds files that were changed, or made from another configuration; nothing was written. "
            "Give --force to overwrite them, or another --output:",
            tuple(kept),
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name in changed:
        path = folder / name
        if name == _PRIVATE:
            path.touch(mode=0o600)
        path.write_text(files[name], encoding="utf-8")
    return changed


#: The name of the integration where the configuration gives none.
_INTEGRATION = "SNOWMELT_S3"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SetupScope:
    """The configuration's enabled tables, and what they share."""

    config: Config
    facts: SetupFacts
    tables: tuple[TableConfig, ...]

    @property
    def place(self) -> StagedPlace:
        """Where the staged files are."""
        staging = self.config.s3_staging
        return StagedPlace(
            staging.bucket,
            fixed_folders(staging.prefix_pattern),
            self.facts.partition,
            self.facts.kms_key_arn,
            foreign=self.facts.foreign_bucket,
        )

    @property
    def integration(self) -> str:
        """The storage integration's name."""
        return self.config.snowflake_unload.storage_integration or _INTEGRATION

    @property
    def stage(self) -> tuple[str, str, str] | None:
        """Database, schema and name of the stage; None where the integration writes straight into the bucket."""
        unload = self.config.snowflake_unload
        if not (unload.stage_database and unload.stage_schema and unload.stage_name):
            return None
        return unload.stage_database, unload.stage_schema, unload.stage_name

    @property
    def warehouse(self) -> str:
        """The configured warehouse, or the one that is made."""
        return self.config.snowflake_unload.warehouse or self.facts.warehouse

    @property
    def resizes_warehouse(self) -> bool:
        """Whether runs change the warehouse's size."""
        return self.config.snowflake_unload.warehouse_size is not None

    @property
    def sources(self) -> tuple[tuple[TableName, SourceKind], ...]:
        """What is read, each once, with its kind."""
        kinds = self.facts.source_kinds
        names = _distinct(table.source for table in self.tables)
        return tuple(
            (
                name,
                kinds.get((name.database,))
                or kinds.get((name.database, name.schema, name.table), SourceKind.TABLE),
            )
            for name in names
        )

    @property
    def uses_aws_s3(self) -> bool:
        """Whether a table may be loaded by the server's aws_s3 extension, which takes CSV alone."""
        return any(
            FileFormat(table.file_format) is FileFormat.CSV
            and LoadMethod(table.load_method) is not LoadMethod.COPY
            for table in self.loaded
        )

    @property
    def loaded(self) -> tuple[TableConfig, ...]:
        """The tables that are loaded into PostgreSQL: all but those that are only unloaded."""
        return tuple(table for table in self.tables if Mode(table.mode) is not Mode.UNLOAD)

    @property
    def target_schemas(self) -> tuple[str, ...]:
        """The schemas of PostgreSQL that are loaded into."""
        return _distinct(table.target_schema for table in self.loaded)

    def connections(self, kind: str) -> tuple[str, ...]:
        """Ids of Airflow connections of one kind (snowflake, aws, aws_cleanup, postgres), the file's own first."""
        sections = (self.config.connections, *(table.connections for table in self.tables))
        return _distinct(getattr(section, kind) for section in sections if getattr(section, kind))


def plan_scope(config: Config, facts: SetupFacts) -> SetupScope:
    """The scope of a configuration: enabled tables only, broken ones left out.

    :raises ConfigurationError: a kind is given for a source that is not configured.
    """
    scope = SetupScope(config, facts, tuple(table for table in config.tables if table.enabled))
    known = {parts for name, _ in scope.sources for parts in _names(name)}
    unknown = [".".join(parts) for parts in facts.source_kinds if parts not in known]
    if unknown:
        raise ConfigurationError(
            "A kind is given for sources that no enabled table of the configuration reads:", tuple(unknown)
        )
    return scope


def target_rights(table: TableConfig) -> TargetRights | None:
    """What the table's own DAG needs on an existing target; a run from the trigger form may need more.

    :returns: None where nothing is loaded.
    """
    rights = publish_rights(table)
    return rights.owned() if rights and alters_target(table) else rights


def _names(name: TableName) -> tuple[tuple[str, ...], ...]:
    return (name.database,), (name.database, name.schema, name.table)


def _distinct(names: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(names))
