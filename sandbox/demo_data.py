"""The demo's objects in Snowflake as SQL: warehouse, integration, stage and two tables. Pure; fill.py runs it."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.demo_columns import (
    DIGIT_BLOCKS,
    INTEGERS,
    SEED,
    DemoColumn,
    Numbers,
    fact_columns,
    payer_columns,
    quote,
)

VERSION = 1
PAYERS = 500
DIMENSION, FACT = "ANALYTICS.BI.DIMPAYER", "ANALYTICS.BI.FACTVISITCALLPERFORMANCE_CR"
SCRATCH = "ANALYTICS.BI.DEMO_NUMBERS"
#: Rows of one INSERT: keeps the stand-in's memory flat, whatever the size.
BATCH = 500_000


@dataclass(frozen=True)
class DemoTable:
    """A table with its rows. `mark` in its comment is set last: the table is complete."""

    name: str
    columns: list[DemoColumn]
    constraints: str
    rows: int
    about: str
    seed: int

    @property
    def mark(self) -> str:
        return f"{self.about} [demo data: version {VERSION}, seed {self.seed}, {self.rows} rows]"

    def create(self) -> list[str]:
        comments = {
            column.name: f" COMMENT {quote(column.comment)}" if column.comment else ""
            for column in self.columns
        }
        lines = [f"{column.name} {column.type}{comments[column.name]}" for column in self.columns]
        return [
            f"CREATE OR REPLACE TABLE {self.name} (\n  " + ",\n  ".join([*lines, self.constraints]) + "\n)"
        ]

    def insert(self) -> list[str]:
        """All rows by INSERT … SELECT, at most BATCH at a time; their numbers are made first, in a temporary table."""
        values = ",\n  ".join(f"{column.value} AS {column.name}" for column in self.columns)
        statements = []
        for start in range(0, self.rows, BATCH):
            source = numbers(start, min(start + BATCH, self.rows), self.seed)
            statements += [
                f"CREATE OR REPLACE TEMPORARY TABLE {SCRATCH} AS\n{source}\nSELECT * FROM numbers",
                f"INSERT INTO {self.name} SELECT\n  {values}\nFROM {SCRATCH} ORDER BY n",
                f"DROP TABLE {SCRATCH}",
            ]
        return statements

    def finish(self) -> list[str]:
        return [f"COMMENT ON TABLE {self.name} IS {quote(self.mark)}"]


def numbers(first: int, end: int, seed: int) -> str:
    """A WITH clause for rows n = first … end-1 with the integers x0 … x9 and d, a text of 45 digits."""
    width = max(len(str(end - first - 1)), 1)
    digits = " UNION ALL ".join(f"SELECT {digit} AS d" for digit in range(10))
    parts = " + ".join(f"t{place}.d * {10**place}" for place in range(width))
    joined = " CROSS JOIN ".join(f"digits AS t{place}" for place in range(width))
    source = Numbers(seed)
    integers = ", ".join(f"{source.scatter()} AS x{place}" for place in range(INTEGERS))
    blocks = ", ".join(f"{source.scatter()} AS y{place}" for place in range(DIGIT_BLOCKS))
    text = " || ".join(
        f"LPAD(TO_VARCHAR(MOD(y{place}, 1000000000)), 9, '0')" for place in range(DIGIT_BLOCKS)
    )
    names = ", ".join(f"x{place}" for place in range(INTEGERS))
    return (
        f"WITH digits AS ({digits}), counted AS (\n"
        # in whole 64-bit numbers, whatever a database makes of a small literal
        f"  SELECT CAST(n + {first} AS BIGINT) AS n FROM (SELECT {parts} AS n FROM {joined}) AS c WHERE n < {end - first}\n"
        f"), scattered AS (\n  SELECT n, {integers}, {blocks} FROM counted\n"
        f"), numbers AS (\n  SELECT n, {names}, {text} AS d FROM scattered\n)"
    )


def demo_tables(rows: int, seed: int = SEED) -> list[DemoTable]:
    return [
        DemoTable(
            DIMENSION, payer_columns(seed), "PRIMARY KEY (PAYER_KEY)", PAYERS, "Who pays for visits", seed
        ),
        DemoTable(
            FACT,
            fact_columns(seed),
            'PRIMARY KEY ("Visit Id")',
            rows,
            "Visits and the calls about them",
            seed,
        ),
    ]


def surroundings(bucket: str) -> list[str]:
    """What an administrator would set up once, repeatable."""
    integration = (
        "CREATE STORAGE INTEGRATION IF NOT EXISTS SNOWMELT_S3 TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE"
        " STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::123456789012:role/snowmelt'"
        f" STORAGE_ALLOWED_LOCATIONS = ('s3://{bucket}/')"
    )
    return [
        "CREATE WAREHOUSE IF NOT EXISTS SNOWMELT_WH WAREHOUSE_SIZE = 'XSMALL'",
        "CREATE ROLE IF NOT EXISTS SNOWMELT_ROLE",
        "CREATE DATABASE IF NOT EXISTS ANALYTICS",
        "CREATE SCHEMA IF NOT EXISTS ANALYTICS.BI",
        "CREATE DATABASE IF NOT EXISTS UTIL",
        "CREATE SCHEMA IF NOT EXISTS UTIL.STAGING",
        integration,
        f"CREATE STAGE IF NOT EXISTS UTIL.STAGING.SNOWMELT_STAGE URL = 's3://{bucket}/' STORAGE_INTEGRATION = SNOWMELT_S3",
        "GRANT USAGE ON WAREHOUSE SNOWMELT_WH TO ROLE SNOWMELT_ROLE",
        "GRANT USAGE ON DATABASE ANALYTICS TO ROLE SNOWMELT_ROLE",
        "GRANT USAGE ON SCHEMA ANALYTICS.BI TO ROLE SNOWMELT_ROLE",
        "GRANT USAGE ON INTEGRATION SNOWMELT_S3 TO ROLE SNOWMELT_ROLE",
        "GRANT USAGE ON STAGE UTIL.STAGING.SNOWMELT_STAGE TO ROLE SNOWMELT_ROLE",
    ]
