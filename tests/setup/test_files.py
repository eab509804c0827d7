"""The set-up's files, word for word: every name quoted, no right that no step needs, no secret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from snowmelt.config.file import parse_config
from snowmelt.errors import ConfigurationError
from snowmelt.setup.documentation import refresh
from snowmelt.setup.facts import SetupFacts, parse_public_key, parse_source_kinds
from snowmelt.setup.files import build_setup
from snowmelt.sql.names import postgres_block
from tests.conftest import ROOT

TABLES: list[dict[str, Any]] = [
    {"source": "DIMPAYER"},
    {"source": '"Visit ""X"""', "target": '"it\'s"', "publish": "truncate"},
    {
        "source": "EVENTS",
        "uniqueness_columns": ["ID"],
        "watermark_column": "AT",
        "connections": {"postgres": "second"},
    },
    {"source": "LOGS", "publish": "append", "file_format": "csv"},
    {"source": "OFF", "enabled": False},
]


def setup(tables=TABLES, unload=None, staging=None, **facts):
    config = parse_config(
        json.dumps(
            {
                "s3_staging": {"bucket": "lake"} | (staging or {}),
                "snowflake_unload": unload
                or {
                    "storage_integration": "S3_INT",
                    "stage_database": "UTIL",
                    "stage_schema": "PUBLIC",
                    "stage_name": '"My Stage"',
                    "warehouse": "LOAD_WH",
                },
                "sources": [
                    {
                        "source_name": "s",
                        "source_database": "SALES",
                        "source_schema": "BI",
                        "target_schema": "mart",
                        "tables": tables,
                    }
                ],
            }
        ),
        {},
    )
    assert not config.broken
    return build_setup(config, SetupFacts(**facts), command="airflow snowmelt setup-sql")


def statements(text: str) -> list[str]:
    """What is executed: everything but lines of comment."""
    lines = [line for line in text.splitlines() if line and not line.startswith("--")]
    return "\n".join(lines).rstrip(";").split(";\n")


def test_snowflake_grants_what_the_enabled_tables_need_and_nothing_else():
    assert statements(setup(aws_account="123456789012", rsa_public_key="A" * 300)["snowflake.sql"]) == [
        'CREATE ROLE IF NOT EXISTS "SNOWMELT_ROLE"',
        "CREATE WAREHOUSE IF NOT EXISTS \"LOAD_WH\" WAREHOUSE_SIZE = 'XSMALL' AUTO_SUSPEND = 60 AUTO_RESUME = TRUE INITIALLY_SUSPENDED = TRUE",
        'GRANT USAGE ON WAREHOUSE "LOAD_WH" TO ROLE "SNOWMELT_ROLE"',
        (
            "CREATE STORAGE INTEGRATION IF NOT EXISTS \"S3_INT\" TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
            "STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::123456789012:role/snowmelt-snowflake' STORAGE_ALLOWED_LOCATIONS = ('s3://lake/')"
        ),
        'CREATE DATABASE IF NOT EXISTS "UTIL"',
        'CREATE SCHEMA IF NOT EXISTS "UTIL"."PUBLIC"',
        'CREATE STAGE IF NOT EXISTS "UTIL"."PUBLIC"."My Stage" URL = \'s3://lake/\' STORAGE_INTEGRATION = "S3_INT"',
        'GRANT USAGE ON DATABASE "UTIL" TO ROLE "SNOWMELT_ROLE"',
        'GRANT USAGE ON SCHEMA "UTIL"."PUBLIC" TO ROLE "SNOWMELT_ROLE"',
        'GRANT USAGE ON STAGE "UTIL"."PUBLIC"."My Stage" TO ROLE "SNOWMELT_ROLE"',
        'GRANT USAGE ON DATABASE "SALES" TO ROLE "SNOWMELT_ROLE"',
        'GRANT USAGE ON SCHEMA "SALES"."BI" TO ROLE "SNOWMELT_ROLE"',
        'GRANT SELECT ON TABLE "SALES"."BI"."DIMPAYER" TO ROLE "SNOWMELT_ROLE"',
        'GRANT SELECT ON TABLE "SALES"."BI"."Visit ""X""" TO ROLE "SNOWMELT_ROLE"',
        'GRANT SELECT ON TABLE "SALES"."BI"."EVENTS" TO ROLE "SNOWMELT_ROLE"',
        'GRANT SELECT ON TABLE "SALES"."BI"."LOGS" TO ROLE "SNOWMELT_ROLE"',
        'CREATE USER IF NOT EXISTS "SNOWMELT" TYPE = SERVICE DEFAULT_ROLE = "SNOWMELT_ROLE" DEFAULT_WAREHOUSE = "LOAD_WH"',
        f"ALTER USER \"SNOWMELT\" SET RSA_PUBLIC_KEY = '{'A' * 300}'",
        'GRANT ROLE "SNOWMELT_ROLE" TO USER "SNOWMELT"',
        'DESC INTEGRATION "S3_INT"',
    ]


STAGE = {
    "storage_integration": "S3_INT",
    "stage_database": "UTIL",
    "stage_schema": "PUBLIC",
    "stage_name": "S",
    "warehouse": "LOAD_WH",
}


def test_a_resized_warehouse_is_granted_what_resizing_needs_and_made_small():
    found = statements(setup(unload=STAGE | {"warehouse_size": "LARGE"})["snowflake.sql"])
    assert [sql for sql in found if "WAREHOUSE " in sql][:3] == [
        "CREATE WAREHOUSE IF NOT EXISTS \"LOAD_WH\" WAREHOUSE_SIZE = 'XSMALL' AUTO_SUSPEND = 60 AUTO_RESUME = TRUE INITIALLY_SUSPENDED = TRUE",
        'GRANT USAGE ON WAREHOUSE "LOAD_WH" TO ROLE "SNOWMELT_ROLE"',
        'GRANT MODIFY, MONITOR ON WAREHOUSE "LOAD_WH" TO ROLE "SNOWMELT_ROLE"',
    ]
    assert not [sql for sql in statements(setup(unload=STAGE)["snowflake.sql"]) if "MODIFY" in sql]


@pytest.mark.parametrize(
    ("kind", "granted"),
    [
        ("view", "GRANT SELECT ON VIEW"),
        ("materialized_view", "GRANT SELECT ON MATERIALIZED VIEW"),
        ("dynamic_table", "GRANT SELECT ON DYNAMIC TABLE"),
        ("external_table", "GRANT SELECT ON EXTERNAL TABLE"),
        ("iceberg_table", "GRANT SELECT ON ICEBERG TABLE"),
    ],
)
def test_each_kind_of_source_is_granted_by_its_own_words(kind, granted):
    kinds = parse_source_kinds([f"sales.bi.dimpayer={kind}"])
    found = statements(setup(TABLES[:2], source_kinds=kinds)["snowflake.sql"])
    assert [sql for sql in found if "SELECT" in sql] == [
        f'{granted} "SALES"."BI"."DIMPAYER" TO ROLE "SNOWMELT_ROLE"',
        'GRANT SELECT ON TABLE "SALES"."BI"."Visit ""X""" TO ROLE "SNOWMELT_ROLE"',
    ]


def test_a_shared_database_is_granted_as_a_whole():
    found = statements(setup(source_kinds=parse_source_kinds(["SALES=imported"]))["snowflake.sql"])
    assert 'GRANT IMPORTED PRIVILEGES ON DATABASE "SALES" TO ROLE "SNOWMELT_ROLE"' in found
    assert not [sql for sql in found if '"BI"' in sql or 'USAGE ON DATABASE "SALES"' in sql]


def test_sources_that_are_replaced_get_future_grants_when_that_is_requested():
    future = 'GRANT SELECT ON FUTURE TABLES IN SCHEMA "SALES"."BI" TO ROLE "SNOWMELT_ROLE"'
    asked, plain = setup(future_grants=True)["snowflake.sql"], setup()["snowflake.sql"]
    assert future in statements(asked)
    assert future not in statements(plain)
    assert f"-- {future};" in plain


@pytest.mark.parametrize(
    "text", ["SALES.BI.T", "SALES.BI.T=thing", "SALES=view", "SALES.BI.T=imported", "=view"]
)
def test_a_kind_that_is_none_is_refused_by_name(text):
    with pytest.raises(ConfigurationError, match="kinds of sources") as refused:
        parse_source_kinds([text])
    assert repr(text) in str(refused.value)


def test_a_kind_of_a_source_that_is_not_configured_is_refused():
    with pytest.raises(ConfigurationError, match=r"SALES\.BI\.OTHER"):
        setup(source_kinds=parse_source_kinds(["SALES.BI.OTHER=view"]))


@pytest.mark.parametrize(
    ("region", "provider", "arn", "scheme"),
    [
        ("eu-west-1", "S3", "arn:aws:", "s3"),
        ("us-gov-west-1", "S3GOV", "arn:aws-us-gov:", "s3gov"),
        ("cn-northwest-1", "S3CHINA", "arn:aws-cn:", "s3china"),
    ],
)
def test_the_partition_decides_arns_provider_and_scheme_everywhere(region, provider, arn, scheme):
    files = setup(aws_region=region, staging={"prefix_pattern": "in/{source_table}/"})
    url = f"'{scheme}://lake/in/'"
    sql = files["snowflake.sql"]
    assert f"STORAGE_PROVIDER = '{provider}'" in sql
    assert f"STORAGE_AWS_ROLE_ARN = '{arn}iam::" in sql
    assert f"STORAGE_ALLOWED_LOCATIONS = ({url})" in sql
    assert f"URL = {url}" in sql
    assert url in files["STEPS.md"]
    policies = [text for name, text in files.items() if name.endswith("policy.json") and "trust" not in name]
    assert len(policies) == 4
    for text in policies:
        resources = [one for statement in json.loads(text)["Statement"] for one in statement["Resource"]]
        assert all(resource.startswith(f"{arn}s3:::lake") for resource in resources)


def test_a_bucket_of_another_account():
    facts = {"aws_account": "123456789012", "bucket_account": "210987654321"}
    files = setup(**facts)
    assert "STORAGE_AWS_OBJECT_ACL = 'bucket-owner-full-control'" in files["snowflake.sql"]
    write = json.loads(files["iam-snowflake-policy.json"])["Statement"][0]["Action"]
    assert write[-1] == "s3:PutObjectAcl"
    bucket = json.loads(files["iam-bucket-policy.json"])["Statement"]
    principals = {statement["Sid"]: statement["Principal"]["AWS"] for statement in bucket}
    assert principals["SnowflakeWriteStagedFiles"] == "arn:aws:iam::123456789012:role/snowmelt-snowflake"
    assert principals["AirflowReadStagedFiles"] == "<ARN_OF_THE_USER_OR_ROLE_OF_AIRFLOW>"
    assert principals["DatabaseReadStagedFiles"] == "arn:aws:iam::123456789012:role/snowmelt-rds-import"
    by_copy = json.loads(setup(TABLES[:1], **facts)["iam-bucket-policy.json"])["Statement"]
    assert not [one for one in by_copy if one["Sid"].startswith("Database")]
    assert "iam-bucket-policy.json" in files["STEPS.md"]
    own = setup(aws_account="123456789012")
    assert "iam-bucket-policy.json" not in own
    assert "ACL" not in own["snowflake.sql"] + own["iam-snowflake-policy.json"]


def test_what_alters_a_target_needs_its_owner_beside_the_rights_on_its_rows():
    text = setup([TABLES[3] | {"defer_indexes": True}])["postgres.sql"]
    assert 'GRANT SELECT, INSERT ON TABLE "mart"."logs" TO "snowmelt"' in text
    assert '-- ALTER TABLE IF EXISTS "mart"."logs" OWNER TO "snowmelt";' in text


def test_a_table_that_is_only_unloaded_gets_no_right_in_its_target():
    text = setup([{"source": "T", "mode": "unload"}])["postgres.sql"]
    assert "mart" not in text


def test_without_a_stage_the_role_may_use_the_integration_itself():
    found = statements(setup(unload={"storage_integration": "S3_INT"})["snowflake.sql"])
    assert 'GRANT USAGE ON INTEGRATION "S3_INT" TO ROLE "SNOWMELT_ROLE"' in found
    assert not [sql for sql in found if "STAGE " in sql and "STORAGE" not in sql]


def test_policies_name_exactly_what_is_done_and_where():
    files = setup(
        staging={"prefix_pattern": "team/in/{source_schema}/{source_table}/"}, aws_region="eu-west-1"
    )
    read = json.loads(files["iam-read-policy.json"])
    assert read == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ReadStagedFiles",
                "Effect": "Allow",
                "Action": ["s3:GetObject"],
                "Resource": ["arn:aws:s3:::lake/team/in/*"],
            },
            {
                "Sid": "ListStagedFiles",
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": ["arn:aws:s3:::lake"],
                "Condition": {"StringLike": {"s3:prefix": ["team/in/*"]}},
            },
        ],
    }
    assert json.loads(files["rds-aws_s3-policy.json"]) == read
    (cleanup,) = json.loads(files["iam-cleanup-policy.json"])["Statement"]
    assert (cleanup["Action"], cleanup["Resource"]) == (["s3:DeleteObject"], ["arn:aws:s3:::lake/team/in/*"])
    write = json.loads(files["iam-snowflake-policy.json"])["Statement"]
    assert [statement["Action"] for statement in write] == [
        ["s3:PutObject", "s3:GetObject", "s3:GetObjectVersion", "s3:DeleteObject", "s3:DeleteObjectVersion"],
        ["s3:ListBucket"],
        ["s3:GetBucketLocation"],
    ]


def test_a_key_of_ones_own_and_another_partition():
    key = "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/ab-1"
    files = setup(aws_region="us-gov-west-1", kms_key_arn=key)
    read, write = (
        json.loads(files[name])["Statement"] for name in ("iam-read-policy.json", "iam-snowflake-policy.json")
    )
    assert (read[-1]["Action"], read[-1]["Resource"]) == (["kms:Decrypt"], [key])
    assert write[-1]["Action"] == ["kms:GenerateDataKey", "kms:Decrypt"]
    assert read[0]["Resource"] == ["arn:aws-us-gov:s3:::lake/*"]


def test_the_second_call_puts_what_snowflake_showed_into_the_trust_policy_alone():
    shown = {"iam_user_arn": "arn:aws:iam::999999999999:user/abc1-b-x", "external_id": "AB1_SFCRole=2_x="}
    first, second = setup(), setup(**shown)
    assert [name for name in first if first[name] != second[name]] == ["STEPS.md", "iam-trust-policy.json"]
    assert "<STORAGE_AWS_IAM_USER_ARN>" in first["iam-trust-policy.json"]
    (statement,) = json.loads(second["iam-trust-policy.json"])["Statement"]
    assert statement == {
        "Sid": "SnowflakeTakesThisRole",
        "Effect": "Allow",
        "Principal": {"AWS": shown["iam_user_arn"]},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": shown["external_id"]}},
    }


def test_postgres_gives_each_publish_method_its_rights():
    text = setup(postgres_role='mig"r')["postgres.sql"]
    assert 'CREATE ROLE "mig""r" LOGIN NOCREATEDB NOCREATEROLE;' in text
    assert 'GRANT USAGE, CREATE ON SCHEMA "snowmelt" TO "mig""r";' in text
    assert 'GRANT USAGE, CREATE ON SCHEMA "mart" TO "mig""r";' in text
    assert 'GRANT SELECT, INSERT, DELETE ON TABLE "mart"."it\'s" TO "mig""r";' in text
    assert "to_regclass('\"mart\".\"it''s\"')" in text
    assert 'GRANT SELECT, INSERT, UPDATE ON TABLE "mart"."events" TO "mig""r";' in text
    assert 'GRANT SELECT, INSERT ON TABLE "mart"."logs" TO "mig""r";' in text
    assert '\n-- ALTER TABLE IF EXISTS "mart"."dimpayer" OWNER TO "mig""r";' in text
    assert "SUPERUSER" not in text
    assert "PASSWORD" not in text
    assert '"off"' not in text
    deleting = setup([TABLES[2] | {"deletes": "hard"}])["postgres.sql"]
    assert 'GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "mart"."events" TO' in deleting
    repairing = setup([TABLES[2] | {"on_change": "repair"}])["postgres.sql"]
    assert 'GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "mart"."events" TO' in repairing


def test_snowflake_records_the_changes_of_the_tables_of_mode_changes():
    changes = {"source": "EVENTS", "mode": "changes", "uniqueness_columns": ["ID"]}
    text = setup([changes, {"source": "LOGS", "mode": "full"}])["snowflake.sql"]
    assert text.count("SET CHANGE_TRACKING = TRUE;") == 1
    assert '."EVENTS" SET CHANGE_TRACKING = TRUE;' in text
    assert "CHANGE_TRACKING" not in setup()["snowflake.sql"]


def test_connections_are_templates_for_every_id_of_the_configuration():
    text = setup(aws_region="eu-west-1")["airflow-connections.env"]
    lines = dict(line.split("=", 1) for line in text.splitlines() if line.startswith("AIRFLOW"))
    assert list(lines) == [
        "AIRFLOW_CONN_SNOWFLAKE_DEFAULT",
        "AIRFLOW_CONN_AWS_DEFAULT",
        "AIRFLOW_CONN_POSTGRES_DEFAULT",
        "AIRFLOW_CONN_SECOND",
    ]
    values = {name: json.loads(value.strip("'")) for name, value in lines.items()}
    assert values["AIRFLOW_CONN_AWS_DEFAULT"]["extra"] == {"region_name": "eu-west-1"}
    for value in values.values():
        assert value.get("password", "<").startswith("<"), value
    assert values["AIRFLOW_CONN_SECOND"]["conn_type"] == "postgres"


def test_the_steps_name_every_file():
    files = setup()
    for name in files:
        assert name == "STEPS.md" or name.split(".")[0].split("-")[0] in files["STEPS.md"], name
    assert "aws rds add-role-to-db-instance" in files["STEPS.md"]
    assert "migration_doctor" in files["STEPS.md"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("aws_account", "12345"),
        ("iam_role", 'a" ; rm'),
        ("iam_user_arn", "*"),
        ("external_id", 'x"y'),
        ("snowflake_role", "A\nDROP"),
        ("rsa_public_key", "short"),
    ],
)
def test_values_that_are_none_are_refused_by_name(field, value):
    with pytest.raises(ConfigurationError, match=field):
        SetupFacts(**{field: value})


def test_a_private_key_is_refused_and_not_shown():
    with pytest.raises(ConfigurationError) as refused:
        parse_public_key("-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----\n")
    assert "SECRET" not in str(refused.value)
    assert parse_public_key("-----BEGIN PUBLIC KEY-----\nAB\nCD\n-----END PUBLIC KEY-----\n") == "ABCD"


def test_a_block_cannot_be_ended_by_a_name_in_it():
    assert postgres_block("x") == "$snowmelt$\nx\n$snowmelt$"
    assert postgres_block("a $snowmelt$ b") == "$snowmelt1$\na $snowmelt$ b\n$snowmelt1$"
    assert postgres_block("$snowmelt $snowmelt1").startswith("$snowmelt2$")


def test_the_page_names_every_file():
    page = (ROOT / "docs/setup.md").read_text()
    files = setup(bucket_account="210987654321")
    assert [name for name in files if f"`{name}`" not in page] == []


@pytest.mark.parametrize("page", ["security", "setup"])
def test_the_tables_of_rights_are_current(page):
    text = (ROOT / f"docs/{page}.md").read_text()
    assert "<!-- made: publish-rights -->" in text
    assert refresh(text) == text, (
        "run: PYTHONPATH=provider .venv/bin/python -m snowmelt.setup.documentation docs/security.md docs/setup.md"
    )
    assert refresh(text.replace("`SELECT, INSERT, DELETE`", "`SELECT`")) == text
