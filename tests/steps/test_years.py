"""Years that four digits cannot say: Parquet carries them as they are, CSV refuses them by name, and neither changes one."""

from __future__ import annotations

import pytest

from snowmelt.errors import ValueRefused
from tests.load.ways import WAYS, allow_aws_s3

#: Type, the value in Snowflake, the value as PostgreSQL prints it.
BEYOND = (
    ("DATE", "DATEADD(DAY, 1, '9999-12-31'::DATE)", "10000-01-01"),
    ("DATE", "'0000-06-01'::DATE", "0001-06-01 BC"),
    ("TIMESTAMP_NTZ(6)", "DATEADD(DAY, 1, '9999-12-31 12:00:00'::TIMESTAMP_NTZ)", "10000-01-01 12:00:00"),
    ("TIMESTAMP_NTZ(6)", "'0000-06-01 00:00:00.000001'::TIMESTAMP_NTZ", "0001-06-01 00:00:00.000001 BC"),
    (
        "TIMESTAMP_TZ(6)",
        "'9999-12-31 23:59:59.999999 -08:00'::TIMESTAMP_TZ",
        "10000-01-01 07:59:59.999999+00",
    ),
    ("TIMESTAMP_TZ(6)", "'0001-01-01 00:00:00 +08:00'::TIMESTAMP_TZ", "0001-12-31 16:00:00+00 BC"),
    (
        "TIMESTAMP_LTZ(6)",
        "'9999-12-31 23:59:59 -08:00'::TIMESTAMP_TZ::TIMESTAMP_LTZ",
        "10000-01-01 07:59:59+00",
    ),
)
WITHIN = {"DATE": "'9999-12-31'::DATE"}
CSV = {name: way for name, way in WAYS.items() if way["file_format"] == "csv"}


def fill(world, kind, value):
    within = WITHIN.get(kind, f"'9999-12-31 23:59:59.999999 +00:00'::TIMESTAMP_TZ::{kind}")
    world.sql(
        f"CREATE TABLE Y (ID NUMBER(9,0), C {kind})",
        f"INSERT INTO Y SELECT 1, {within}",
        f"INSERT INTO Y SELECT 2, {value}",
    )


@pytest.mark.parametrize(("kind", "value", "printed"), BEYOND, ids=[value for _, value, _ in BEYOND])
def test_parquet_carries_what_postgres_has(world, kind, value, printed):
    fill(world, kind, value)
    world.run({"source": "Y"})
    assert world.query("SELECT c::text FROM public.y WHERE id = 2") == [(printed,)]


@pytest.mark.parametrize("way", CSV.values(), ids=CSV)
@pytest.mark.parametrize(("kind", "value", "printed"), BEYOND, ids=[value for _, value, _ in BEYOND])
def test_csv_refuses_them_and_says_why(world, sandbox, way, kind, value, printed):
    allow_aws_s3(world, sandbox)
    fill(world, kind, value)
    with pytest.raises(ValueRefused, match=r"row 2, column C: it is beyond the years 1 to 9999"):
        world.run({"source": "Y"}, **way)
    world.run({"source": "Y", "bad_rows": "quarantine"}, **way)
    assert world.query("SELECT id, left(c::text, 4) FROM public.y") == [(1, "9999")]
