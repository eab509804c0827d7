"""JSON and vectors, which PostgreSQL writes anew, are compared by the texts that were staged, each in its row."""

from __future__ import annotations

import boto3
import pytest

from snowmelt.errors import VerificationError
from snowmelt.progress.verdict import describe_fingerprint
from snowmelt.unload import staged

DECLARED = (
    "ID NUMBER(9,0) NOT NULL PRIMARY KEY, D VARIANT, A ARRAY, V VECTOR(FLOAT, 2), DAY DATE, T TIME(6), Z TIMESTAMP_TZ(6), "
    "OK BOOLEAN, NOTE VARCHAR, BIG NUMBER(38,0), AMOUNT NUMBER(12,2), F FLOAT, B BINARY"
)
#: Bytes that no file holds.
HELD = b"<held while two texts are exchanged>"
TABLE = {"source": "DOCS", "target": "docs", "chunking_column": "ID", "chunk_rows": 50}


@pytest.fixture
def docs(world):
    world.sql(
        f"CREATE TABLE DOCS ({DECLARED})",
        """INSERT INTO DOCS SELECT column1, PARSE_JSON(column2), PARSE_JSON(column3)::ARRAY, column4::VECTOR(FLOAT, 2), column5,
        column6, column7, column8, column9, column10, column11, column12, TO_BINARY(column13, 'HEX') FROM VALUES """
        + ", ".join(
            f"""({row}, '{{"bb":{row + 100},"a":[1.5,"x,y"],"u":"é"}}', '[{row}, null]', [{row}.5, 0.25], '2024-01-{1 + row % 28:02d}',
            '10:00:00.{row:06d}', '0001-01-02 00:00:00.{row:06d} +05:30', {row % 2 == 0}, '{"x" * row * 11}|', 1{"0" * 37}, 1.50, 0.1, '00FF')"""
            for row in range(1, 121)
        ),
        "INSERT INTO DOCS (ID) VALUES (0)",
        "INSERT INTO DOCS (ID, D, NOTE) SELECT -1, TO_VARIANT(REPEAT('é', 600)), ''",
    )
    return world


def fingerprint(world):
    [(found,)] = world.query(
        "SELECT verification->'fingerprint' FROM snowmelt.run ORDER BY started_at DESC LIMIT 1"
    )
    return found


def test_what_was_staged_agrees_and_the_run_says_how_it_was_compared(docs):
    docs.run(TABLE, mode="full")
    found = fingerprint(docs)
    assert (found["compared"], found["staged"], found["approximate"]) == (True, ["A", "D", "V"], [])
    assert describe_fingerprint(found).endswith("; compared by the staged text: A, D, V")


def test_each_file_has_its_hash_in_the_ledger(docs):
    plan = docs.plan(TABLE, mode="full")
    hashes = dict(
        docs.run(TABLE, mode="full") and docs.query("SELECT s3_key, staged_hash FROM snowmelt.loaded_file")
    )
    assert len(hashes) == len(plan.chunks) == 3
    assert None not in hashes.values()


def test_rows_that_are_set_aside_were_staged_too(docs):
    docs.sql("INSERT INTO DOCS (ID, D, NOTE) SELECT 500, PARSE_JSON('[1]'), 'a' || CHR(0)")
    docs.run(TABLE | {"bad_rows": "quarantine", "quarantine_limit": 1}, mode="full")
    found = fingerprint(docs)
    assert (found["set_aside"], found["staged"]) == (1, ["A", "D", "V"])


def test_in_csv_they_are_compared_approximately(docs):
    docs.run(TABLE, mode="full", file_format="csv", load_method="copy")
    found = fingerprint(docs)
    assert (found["staged"], found["approximate"]) == ([], ["D", "A", "V"])


def admin_s3(sandbox):
    return boto3.client(
        "s3",
        endpoint_url=sandbox.env["SNOWMELT_SANDBOX_S3_ENDPOINT"],
        region_name=sandbox.env["SNOWMELT_SANDBOX_S3_REGION"],
        aws_access_key_id=sandbox.env["SNOWMELT_SANDBOX_ADMIN_ACCESS_KEY_ID"],
        aws_secret_access_key=sandbox.env["SNOWMELT_SANDBOX_ADMIN_SECRET_ACCESS_KEY"],
    )


def change_staged(world, s3, chunks, old, new):
    """Write other bytes of the same number into the staged file that holds them."""
    changed = 0
    for file in (file for chunk in chunks for file in chunk.files):
        body = world.s3.get_object(Bucket=world.bucket, Key=file.key)["Body"].read()
        if old in body:
            s3.put_object(
                Bucket=world.bucket,
                Key=file.key,
                Body=body.replace(old, HELD).replace(new, old).replace(HELD, new),
            )
            changed += 1
    assert changed
    return list(staged.look_for_chunks(world.s3, tuple(chunks)).chunks)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"bb":117', b'"bb":118'),
        (b'"bb":117', b'"bb":917'),
        (b'"bb":117', b'"bc":117'),
        (b"[17.5", b"[27.5"),
    ],
    ids=["two rows exchanged", "another number", "another key", "another vector"],
)
def test_a_text_that_is_not_what_snowflake_has_is_found(docs, sandbox, old, new):
    plan = docs.plan(TABLE, mode="full", staging={"compression": "none"})
    chunks = change_staged(docs, admin_s3(sandbox), docs.unload(plan), old, new)
    with pytest.raises(VerificationError) as caught:
        docs.finish(plan, chunks)
    assert 'the texts of "D", "A", "V" as they were staged: the hash is ' in str(caught.value)
    assert "; they differ in chunk 00" in str(caught.value)
    assert "Nothing was published" in str(caught.value)
