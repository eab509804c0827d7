"""What a run changed for its own needs and must be restored, by itself or by a later one: resized warehouses and dropped indexes.

Statements for the functions that change these in the same transaction (`publish.index_build`, `steps.source`), and for the doctor, who looks for
what dead runs left.
"""

from __future__ import annotations

WRITE_DEFERRED = """
INSERT INTO snowmelt.deferred_index (schema_name, table_name, index_name, facts, run_id) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (schema_name, table_name, index_name)
    DO UPDATE SET facts = EXCLUDED.facts, statements = NULL, run_id = EXCLUDED.run_id, dropped_at = clock_timestamp()
"""


LIST_DEFERRED = """
SELECT schema_name, table_name, index_name, run_id, facts, statements FROM snowmelt.deferred_index
WHERE dropped_at <= clock_timestamp() - make_interval(hours => %s) ORDER BY 1, 2, 3
"""


READ_DEFERRED = """
SELECT index_name FROM snowmelt.deferred_index WHERE (schema_name, table_name) = (%s, %s) AND facts IS NOT NULL ORDER BY 1
"""


TAKE_DEFERRED = """
DELETE FROM snowmelt.deferred_index WHERE (schema_name, table_name, index_name) = (%s, %s, %s) RETURNING facts
"""


#: One at a time for a warehouse, so that the last run to end knows that it is the last.
LOCK_WAREHOUSE = "SELECT pg_advisory_xact_lock(hashtextextended('snowmelt warehouse ' || %s, 0))"


#: What a warehouse was before the first of the runs that resized it; a run that died a day ago no longer counts.
READ_ORIGINAL_SIZE = """
SELECT original_size FROM snowmelt.resized_warehouse
WHERE warehouse = %s AND resized_at > clock_timestamp() - interval '1 day' ORDER BY resized_at LIMIT 1
"""


WRITE_RESIZED = """
INSERT INTO snowmelt.resized_warehouse (warehouse, run_id, original_size) VALUES (%s, %s, %s)
ON CONFLICT (warehouse, run_id) DO NOTHING
"""


READ_RESIZED = "SELECT warehouse, original_size FROM snowmelt.resized_warehouse WHERE run_id = %s"


DELETE_RESIZED = "DELETE FROM snowmelt.resized_warehouse WHERE (warehouse, run_id) = (%s, %s)"


#: A database that no run of this version has used yet may be without the table.
DEFERRED_EXISTS = "SELECT to_regclass('snowmelt.deferred_index') IS NOT NULL"


LEDGER_EXISTS = "SELECT to_regclass('snowmelt.loaded_file') IS NOT NULL"


#: When a run was active last. Parameter: run ids.
READ_LAST_ACTIVITY = """
SELECT r.run_id, r.outcome, greatest(r.started_at, r.staged_at, r.verified_at, r.published_at,
       (SELECT max(l.loaded_at) FROM snowmelt.loaded_file AS l WHERE l.run_id = r.run_id))
FROM snowmelt.run AS r WHERE r.run_id = ANY(%s)
"""
