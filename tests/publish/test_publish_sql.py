"""The SQL of publishing, written out."""

from __future__ import annotations

from snowmelt.publish.index_statements import build_settings, plan_primary_key
from snowmelt.publish.locks import build_lock, build_lock_timeout
from snowmelt.publish.request import PublishRequest
from snowmelt.publish.row_statements import (
    build_delete_all,
    build_duplicate_keys,
    build_insert,
    build_insert_new,
    build_null_keys,
    build_update,
)
from snowmelt.publish.staging_table import StagingMark, build_copy, build_options
from snowmelt.publish.table_details import TableDetails, build_grants, build_revokes
from snowmelt.vocabulary import Duplicates, PublishMethod

REQUEST = PublishRequest(
    run_id="r",
    method=PublishMethod.MERGE,
    schema="b i",
    table='my "t"',
    staging="snowmelt_1",
    columns=("id", "Visit Id", "at"),
    uniqueness_columns=("id", "Visit Id"),
)
LAST = PublishRequest(
    run_id="r",
    method=PublishMethod.MERGE,
    schema="bi",
    table="t",
    staging="snowmelt_1",
    columns=("id", "at"),
    uniqueness_columns=("id",),
    duplicates=Duplicates.LAST,
    watermark_column="at",
)
EMPTY = TableDetails(
    oid=1,
    kind="r",
    persistence="p",
    owner="o",
    access_method="heap",
    tablespace=None,
    options=("fillfactor=70",),
    toast_options=("autovacuum_enabled=false",),
    replica_identity="d",
    comment=None,
    grants=frozenset(),
    columns=(),
    constraints=(),
    indexes=(),
    statistics=(),
    sequences=(),
)


def test_rows_are_inserted_by_name():
    assert build_insert(REQUEST) == (
        'INSERT INTO "b i"."my ""t""" ("id", "Visit Id", "at") OVERRIDING SYSTEM VALUE '
        'SELECT "id", "Visit Id", "at" FROM "b i"."snowmelt_1"'
    )
    assert build_delete_all(REQUEST, partitioned=False) == 'DELETE FROM ONLY "b i"."my ""t"""'
    assert build_delete_all(REQUEST, partitioned=True) == 'DELETE FROM "b i"."my ""t"""'


def test_a_merge_updates_what_differs_then_inserts_what_is_new():
    assert build_update(REQUEST) == (
        'UPDATE "b i"."my ""t""" AS t SET "id" = s."id", "Visit Id" = s."Visit Id", "at" = s."at" FROM "b i"."snowmelt_1" AS s '
        'WHERE t."id" = s."id" AND t."Visit Id" = s."Visit Id" '
        'AND ROW(t."id", t."Visit Id", t."at")::record OPERATOR(pg_catalog.*<>) ROW(s."id", s."Visit Id", s."at")::record'
    )
    assert build_insert_new(REQUEST) == (
        'INSERT INTO "b i"."my ""t""" ("id", "Visit Id", "at") OVERRIDING SYSTEM VALUE '
        'SELECT s."id", s."Visit Id", s."at" FROM "b i"."snowmelt_1" AS s '
        'WHERE NOT EXISTS (SELECT FROM "b i"."my ""t""" AS t WHERE t."id" = s."id" AND t."Visit Id" = s."Visit Id")'
    )


def test_of_duplicates_the_last_is_merged():
    assert build_insert_new(LAST) == (
        'INSERT INTO "bi"."t" ("id", "at") OVERRIDING SYSTEM VALUE SELECT s."id", s."at" '
        'FROM (SELECT DISTINCT ON ("id") "id", "at" FROM "bi"."snowmelt_1" ORDER BY "id", "at" DESC NULLS LAST) AS s '
        'WHERE NOT EXISTS (SELECT FROM "bi"."t" AS t WHERE t."id" = s."id")'
    )


def test_keys_are_checked_first():
    assert build_null_keys(REQUEST) == (
        'SELECT count(*) FILTER (WHERE "id" IS NULL), count(*) FILTER (WHERE "Visit Id" IS NULL) FROM "b i"."snowmelt_1"'
    )
    assert build_duplicate_keys(REQUEST) == (
        'SELECT "id"::text, "Visit Id"::text, count(*) FROM "b i"."snowmelt_1" GROUP BY "id", "Visit Id" HAVING count(*) > 1 '
        'ORDER BY count(*) DESC, "id", "Visit Id" LIMIT 5'
    )
    assert build_duplicate_keys(LAST) == (
        'SELECT "id"::text, count(*) FROM (SELECT "id", rank() OVER (PARTITION BY "id" ORDER BY "at" DESC NULLS LAST) AS snowmelt_rank '
        'FROM "bi"."snowmelt_1") AS ranked WHERE snowmelt_rank = 1 GROUP BY "id" HAVING count(*) > 1 ORDER BY count(*) DESC, "id" LIMIT 5'
    )


def test_grants_are_written_by_role_and_option():
    grants = {
        ("r d", "SELECT", False),
        ("r d", "INSERT", False),
        ("r d", "DELETE", True),
        (None, "SELECT", False),
    }
    assert build_grants('TABLE "s"."t"', grants) == [
        'GRANT SELECT ON TABLE "s"."t" TO PUBLIC',
        'GRANT INSERT, SELECT ON TABLE "s"."t" TO "r d"',
        'GRANT DELETE ON TABLE "s"."t" TO "r d" WITH GRANT OPTION',
    ]
    assert build_grants('TABLE "s"."t"', {("r", "UPDATE", False)}, "Visit Id") == [
        'GRANT UPDATE ("Visit Id") ON TABLE "s"."t" TO "r"'
    ]
    assert build_revokes('TABLE "s"."t"', grants, but="r d") == ['REVOKE ALL ON TABLE "s"."t" FROM PUBLIC']


def test_a_copy_is_made_with_all_but_the_indexes():
    mark = StagingMark("r", "s", "t", "copy", "2026-01-01T00:00:00+00:00")
    statements = build_copy("s", "snowmelt_1", "t", EMPTY, mark, ())
    assert statements[0] == "SET LOCAL default_tablespace = ''"
    assert statements[1] == (
        'CREATE TABLE "s"."snowmelt_1" (LIKE "s"."t" INCLUDING ALL EXCLUDING INDEXES EXCLUDING STATISTICS) USING "heap" '
        """WITH ("fillfactor" = '70', "toast"."autovacuum_enabled" = 'false')"""
    )
    assert build_options(["a=b=c", "x"]) == "\"a\" = 'b=c', \"x\" = ''"


def test_settings_and_locks():
    assert build_settings(512, 2, 'fa"st') == [
        "SET LOCAL default_tablespace = 'fa\"st'",
        "SET LOCAL maintenance_work_mem = '512MB'",
        "SET LOCAL max_parallel_maintenance_workers = 2",
    ]
    assert build_lock_timeout(3) == "SET LOCAL lock_timeout = 3000"
    assert build_lock_timeout(-1) == "SET LOCAL lock_timeout = 1"
    assert build_lock("s", "t", "ACCESS EXCLUSIVE") == 'LOCK TABLE ONLY "s"."t" IN ACCESS EXCLUSIVE MODE'


def test_a_new_table_gets_its_primary_key_after_the_load():
    (step,) = plan_primary_key("s", "snowmelt_1", "t", ("b", "A a"), EMPTY)
    assert step.statements[0].startswith('ALTER TABLE "s"."snowmelt_1" ADD CONSTRAINT "snowmelt_')
    assert step.statements[0].endswith('_i" PRIMARY KEY ("b", "A a")')
    assert plan_primary_key("s", "snowmelt_1", "t", (), EMPTY) == []
