"""What a user can do about each obstacle of each publish method. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from snowmelt.vocabulary import PublishMethod


@dataclass(frozen=True, slots=True)
class Advice:
    """What a fact means to a method."""

    #: With `{0}` for the fact's description.
    what: str
    remedy: str
    #: Methods that the fact does not stop: offered only where nothing else stops them.
    instead: tuple[PublishMethod, ...] = ()
    #: What the description may be, for the docs.
    example: str = "…"


_REPLACE = (PublishMethod.REPLACE,)
_MERGE = (PublishMethod.MERGE,)
_RECREATE = "drop it before and create it again after each publish"


#: What stops every method, and a test run too: nothing can be staged there.
ANY_METHOD: Mapping[str, Advice] = {
    "read only": Advice(
        "the session in database {0} is read-only",
        "connect to the primary server, and leave default_transaction_read_only off for the role",
    ),
    "schema": Advice("the schema {0} does not exist", "create it, or correct target_schema"),
    "schema right": Advice(
        "the role may not create in the schema ({0} is missing)",
        "GRANT USAGE, CREATE ON SCHEMA … to the connection's role",
    ),
    "kind": Advice(
        "it is {0}",
        "name a table as the target",
        example="a view, materialized view, foreign table, sequence or index",
    ),
    "temporary": Advice("it is a temporary table", "name a permanent table as the target"),
}


SWAP: Mapping[str, Advice] = {
    "partitioned": Advice("it is a partitioned table", "name a plain table as the target", _REPLACE),
    "partition": Advice("it is a partition of {0}", "make the partitioned table the target", _REPLACE),
    "parent": Advice("it inherits from {0}", "ALTER TABLE … NO INHERIT {0}", _REPLACE),
    "child": Advice("{0} inherits from it", "end the inheritance by ALTER TABLE {0} NO INHERIT …"),
    "typed": Advice("it is a table OF the type {0}", "ALTER TABLE … NOT OF", _REPLACE),
    "extension": Advice("it belongs to the extension {0}", "name another target", _REPLACE),
    "view": Advice("{0} reads it", _RECREATE, _REPLACE, example="a view, materialized view or rule"),
    "foreign key": Advice("the foreign key {0} references it", "drop that foreign key", _MERGE),
    "dependent": Advice(
        "{0} depends on it",
        _RECREATE,
        _REPLACE,
        example="another object (a function, a column of its row type, a default that uses its sequence)",
    ),
    "trigger": Advice("it has the trigger {0}", "drop the trigger", _REPLACE),
    "rule": Advice("it has the rule {0}", "drop the rule", _REPLACE),
    "policy": Advice("it has the row security policy {0}", "drop the policy", _REPLACE),
    "row security": Advice(
        "row security is enabled on it", "ALTER TABLE … DISABLE ROW LEVEL SECURITY", _REPLACE
    ),
    "publication": Advice(
        "the publication {0} replicates it, and would neither replicate the new table's rows nor drop the old",
        "take it out of the publication",
        _REPLACE,
    ),
    "subscription": Advice(
        "a subscription writes to it", "name another target, or take it out of the subscription"
    ),
    "label": Advice("it has a security label of the provider {0}", "remove the label", _REPLACE),
    "owner": Advice(
        "the role {0} neither owns it nor is a member of the owner", "grant the owner's role to it", _REPLACE
    ),
    "owner's create": Advice(
        "its owner may not create in the schema ({0})", "GRANT CREATE ON SCHEMA … to the owner", _REPLACE
    ),
    "references": Advice(
        "the role has no right to reference {0}", "GRANT REFERENCES ON that table", _REPLACE
    ),
}


ROWS: Mapping[str, Advice] = {
    "right": Advice("the role has no right to {0}", "GRANT {0} ON the table to the connection's role"),
    "sequence": Advice(
        "the role may not use the sequence {0}, which fills a column that is not copied",
        "GRANT USAGE ON SEQUENCE {0} to the connection's role",
    ),
    "row security applies": Advice(
        "row security applies to the role {0}, which would not see all rows",
        "let the table's owner or a role with BYPASSRLS publish",
    ),
    "forced row security": Advice(
        "row security is forced on its owner too (the role {0}), who would not see all rows",
        "ALTER TABLE … NO FORCE ROW LEVEL SECURITY, or let a role with BYPASSRLS publish",
    ),
    "rule": Advice(
        "it has the rule {0}, which does something else with the rows",
        "drop the rule, or write it as a trigger",
    ),
    "trigger drops rows": Advice(
        "the function of its trigger {0} can drop rows (RETURN NULL)",
        "disable or drop the trigger, or name another target",
    ),
    "trigger changes values": Advice(
        "its trigger {0}, which would differ from the source then",
        "disable or drop the trigger, exclude these columns, or name another target",
    ),
}


REWRITTEN: Mapping[str, Advice] = {
    "replica identity": Advice(
        "the publication {0} replicates it, and it has no replica identity, so rows cannot be updated or deleted",
        "add a primary key, or ALTER TABLE … REPLICA IDENTITY FULL, or take it out of the publication",
    ),
    "child": Advice(
        "{0} inherits from it, and its rows would be counted with the target's own",
        "end the inheritance by ALTER TABLE {0} NO INHERIT …, or name another target",
    ),
}


EMPTIED: Mapping[str, Advice] = {
    "foreign key": Advice("the foreign key {0} references it", "drop that foreign key", _MERGE),
}


KEYED: Mapping[str, Advice] = {
    "cascade": Advice(
        "the foreign key {0} references it and passes a DELETE on to that table",
        "make it ON DELETE NO ACTION, or set deletes to soft or ignore",
    ),
    "repeated key": Advice(
        "its unique key is in several rows: {0}",
        "remove the surplus rows, or name uniqueness_columns that are unique in the target",
    ),
    "null key": Advice(
        "its unique key is NULL in {0}",
        "fill the key or remove these rows, or name uniqueness_columns that are never NULL in the target",
    ),
    "key without equality": Advice(
        "its unique key cannot be compared ({0})",
        "name other uniqueness_columns, or change the column's type",
    ),
}


CASCADES: Mapping[str, Advice] = {
    "cascade": Advice(
        "the foreign key {0} references it and passes a DELETE on to that table",
        "make it ON DELETE NO ACTION",
    )
}


ADDS_COLUMNS = Advice(
    "the role {0} neither owns it nor is a member of the owner, so it cannot add columns to it",
    "grant the owner's role to it, or add the columns before (schema_drift = fail names them)",
)


DROPS_INDEXES = Advice(
    "the role {0} neither owns it nor is a member of the owner, so it cannot drop and build its indexes",
    "grant the owner's role to it, or set defer_indexes to false",
)
