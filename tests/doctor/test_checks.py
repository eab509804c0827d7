"""Each check over real parts: all is well, then one thing is broken, the doctor says so, and its remedy fixes it."""

from __future__ import annotations

import json

import pytest

from snowmelt.doctor.findings import CHECKS, Status
from snowmelt.doctor.staging import compare_regions
from tests.stand_ins import stand_ins


def test_everything_is_well(patient):
    findings = [finding for name in CHECKS for finding in patient.check(name)]
    wrong = [one.to_text() for one in findings if one.status not in {Status.OK}]
    # The extension is not in this database, and no table asks for it.
    assert wrong == []
    assert {one.check for one in findings} == {check for checks in CHECKS.values() for check in checks}


# -- Snowflake


def test_a_refused_login_names_the_grants(patient):
    patient.connection("snowflake_default", extra={"port": 1, "login_timeout": 1})
    finding = patient.one("snowflake", "Snowflake session")
    assert finding.status is Status.WRONG
    assert finding.remedy.to_text() == (
        'GRANT ROLE "SNOWMELT_ROLE" TO USER "SNOWMELT";\nGRANT USAGE ON WAREHOUSE "SNOWMELT_WH" TO ROLE "SNOWMELT_ROLE";'
    )
    assert patient.sandbox.env["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"].split('"password": "')[1][:10] not in str(
        finding
    )
    # What hangs on it is not judged by itself, and says on what it hangs.
    other = patient.one("clocks", "Clocks")
    assert other.status is Status.UNKNOWN
    assert other.found.startswith("Snowflake session (snowflake_default) is wrong: ")


def test_no_warehouse(patient):
    patient.connection("snowflake_default", extra={"warehouse": ""})
    finding = patient.one("snowflake", "Snowflake session")
    assert finding.status is Status.WRONG
    assert finding.found.startswith("logged in as SNOWMELT without warehouse.")
    assert finding.remedy.steps == ('ALTER USER "SNOWMELT" SET DEFAULT_WAREHOUSE = <warehouse>',)


def test_a_missing_stage_is_made(patient):
    patient.snowflake(f"DROP STAGE DOCTOR.{patient.schema}.{patient.stage}")
    finding = patient.one("stage", "Stage")
    assert finding.status is Status.WRONG
    assert "does not exist or not authorized" in finding.found
    assert patient.statuses("unload") == {"Unload": "NOT CHECKED"}
    patient.run_remedy(finding)
    assert patient.statuses("stage") == {"Stage": "OK", "Integration": "OK"}
    assert set(patient.statuses("unload").values()) == {"OK"}


def test_a_stage_on_another_bucket_is_moved(patient):
    patient.sandbox.s3("ADMIN").create_bucket(Bucket="doctor-other")
    patient.snowflake(
        f"ALTER STORAGE INTEGRATION {patient.document['snowflake_unload']['storage_integration']} SET "
        f"STORAGE_ALLOWED_LOCATIONS = ('s3://{patient.sandbox.bucket}/', 's3://doctor-other/')",
        f"ALTER STAGE DOCTOR.{patient.schema}.{patient.stage} SET URL = 's3://doctor-other/'",
    )
    finding = patient.one("stage", "Stage")
    assert finding.status is Status.WRONG
    assert (
        f"writes to the bucket 'doctor-other', and s3_staging.bucket is '{patient.sandbox.bucket}'"
        in finding.found
    )
    patient.run_remedy(finding)
    assert patient.statuses("stage") == {"Stage": "OK", "Integration": "OK"}


def test_an_integration_that_allows_another_place(patient):
    name = patient.document["snowflake_unload"]["storage_integration"]
    patient.snowflake(f"ALTER STORAGE INTEGRATION {name} SET STORAGE_ALLOWED_LOCATIONS = ('s3://elsewhere/')")
    finding = patient.one("stage", "Integration")
    assert finding.status is Status.WRONG
    assert finding.found == f"it allows s3://elsewhere/, and not s3://{patient.sandbox.bucket}/"
    places = f"'s3://elsewhere/', 's3://{patient.sandbox.bucket}/'"
    assert finding.remedy.steps == (
        f'ALTER STORAGE INTEGRATION "{name}" SET STORAGE_ALLOWED_LOCATIONS = ({places})',
    )
    assert patient.statuses("unload")["Unload"] == "WRONG"
    patient.run_remedy(finding)
    assert patient.statuses("stage")["Integration"] == "OK"


def test_a_disabled_integration(patient):
    name = patient.document["snowflake_unload"]["storage_integration"]
    patient.snowflake(f"ALTER STORAGE INTEGRATION {name} SET ENABLED = FALSE")
    finding = patient.one("stage", "Integration")
    assert (finding.status, finding.found) == (Status.WRONG, "it is disabled")
    patient.run_remedy(finding)
    assert patient.statuses("stage")["Integration"] == "OK"


def test_a_bucket_that_snowflake_cannot_write_to(patient):
    name = patient.document["snowflake_unload"]["storage_integration"]
    patient.document["s3_staging"]["bucket"] = "doctor-absent"
    patient.snowflake(
        f"ALTER STORAGE INTEGRATION {name} SET STORAGE_ALLOWED_LOCATIONS = ('s3://doctor-absent/')",
        f"ALTER STAGE DOCTOR.{patient.schema}.{patient.stage} SET URL = 's3://doctor-absent/'",
    )
    finding = patient.one("stage", "Integration")
    assert finding.status is Status.WRONG
    assert "S3 refuses the role arn:aws:iam::1:role/x below s3://doctor-absent/" in finding.found
    policy = json.loads(finding.remedy.to_text())
    assert [(one["Action"], one["Resource"]) for one in policy["Statement"]] == [
        (
            ["s3:PutObject", "s3:GetObject", "s3:GetObjectVersion", "s3:DeleteObject", "s3:DeleteObjectVersion"],
            ["arn:aws:s3:::doctor-absent/*"],
        ),
        (["s3:ListBucket"], ["arn:aws:s3:::doctor-absent"]),
        (["s3:GetBucketLocation"], ["arn:aws:s3:::doctor-absent"]),
    ]  # fmt: skip


def test_a_warehouse_that_is_resized_is_tried(patient):
    patient.snowflake("CREATE WAREHOUSE IF NOT EXISTS SNOWMELT_WH WAREHOUSE_SIZE = 'XSMALL'")
    assert patient.statuses("snowflake")["Warehouse"] == "OK"
    patient.document["snowflake_unload"]["warehouse_size"] = "LARGE"
    assert patient.one("snowflake", "Warehouse").found == "X-Small; the role may change it to LARGE"
    refusal = {
        "kind": "error",
        "match": "ALTER WAREHOUSE",
        "code": "003001",
        "sqlstate": "42501",
        "message": "SQL access control error:\nInsufficient privileges to operate on warehouse 'SNOWMELT_WH'",
    }
    with stand_ins(patient.sandbox.env).snowflake(refusal):
        finding = patient.one("snowflake", "Warehouse")
    assert finding.status is Status.WRONG
    assert finding.remedy.steps == (
        'GRANT USAGE ON WAREHOUSE "SNOWMELT_WH" TO ROLE "SNOWMELT_ROLE"',
        'GRANT MODIFY, MONITOR ON WAREHOUSE "SNOWMELT_WH" TO ROLE "SNOWMELT_ROLE"',
    )


@pytest.mark.parametrize(
    ("account", "region", "status", "said"),
    [
        ("AWS_US_EAST_1", "us-east-1", "OK", "the account is in AWS_US_EAST_1, the bucket b in us-east-1"),
        ("PUBLIC.AWS_EU_WEST_1", "eu-west-1", "OK", ""),
        ("AWS_US_GOV_WEST_1_FHPLUS", "us-gov-west-1", "OK", ""),
        ("AWS_EU_WEST_1", "us-east-1", "ATTENTION", "charges for each byte"),
        ("AZURE_WESTEUROPE", "us-east-1", "ATTENTION", "charges for each byte"),
        ("AWS_US_EAST_1", "us-gov-west-1", "WRONG", "only from an account in the same region"),
        ("AWS_US_GOV_EAST_1", "us-gov-west-1", "WRONG", "only from an account in the same region"),
        ("AWS_US_EAST_1", "cn-northwest-1", "WRONG", "only from an account in the same region"),
    ],
)
def test_the_regions_of_account_and_bucket(account, region, status, said):
    finding = compare_regions(account, "b", region)
    assert finding.status == status
    assert said in finding.found


def test_without_a_stage_what_may_forbid_such_unloads_is_named(patient):
    for part in ("stage_name", "stage_database", "stage_schema"):
        del patient.document["snowflake_unload"][part]
    finding = patient.one("stage", "Stage")
    assert finding.status is Status.ATTENTION
    assert "PREVENT_UNLOAD_TO_INLINE_URL" in finding.found
    assert "private connectivity" in finding.found
    assert set(patient.statuses("unload").values()) <= {"OK", "ATTENTION"}


def test_a_view_is_granted_as_a_view(patient):
    patient.snowflake(f"CREATE VIEW DOCTOR.{patient.schema}.V AS SELECT * FROM DOCTOR.{patient.schema}.T")
    patient.document["sources"][0]["tables"][0] = {"source": "V", "mode": "full"}
    refusal = {
        "kind": "error",
        "match": "LIMIT 0",
        "code": "002003",
        "sqlstate": "02000",
        "message": "not authorized",
    }
    with stand_ins(patient.sandbox.env).snowflake(refusal):
        finding = patient.one("table", "Source")
    assert finding.remedy.steps[-1] == (
        f'GRANT SELECT ON VIEW "DOCTOR"."{patient.schema}"."V" TO ROLE "SNOWMELT_ROLE"'
    )


# -- S3


def test_an_aws_user_without_rights(patient):
    patient.aws_user("aws_default", "NOBODY")
    finding = patient.one("aws", "S3 list")
    assert finding.status is Status.WRONG
    assert "S3 answered AccessDenied" in finding.found
    assert json.loads(finding.remedy.to_text())["Statement"][0]["Action"] == ["s3:GetObject"]
    assert patient.statuses("unload")["Staged files"] == "WRONG"
    # Somebody else may: with that user's rights all is well.
    patient.aws_user("aws_default", "AIRFLOW_READER")
    assert set(patient.statuses("aws").values()) == {"OK"}


def test_a_wrong_bucket(patient):
    patient.document["s3_staging"]["bucket"] = "doctor-absent"
    finding = patient.one("aws", "S3 list")
    assert finding.status is Status.WRONG
    assert "NoSuchBucket" in finding.found
    assert finding.remedy.where == "Airflow"


def test_a_temporary_key_without_its_token(patient):
    patient.aws_user("aws_default", "SESSION")
    finding = patient.one("aws", "S3 session")
    assert finding.status is Status.WRONG
    assert "without its session token" in finding.found


def test_a_cleanup_connection_that_may_not_delete(patient):
    patient.aws_user("aws_cleanup", "AIRFLOW_READER")
    finding = patient.one("aws", "S3 clean-up")
    assert finding.status is Status.WRONG
    assert "AccessDenied" in finding.found
    assert json.loads(finding.remedy.to_text())["Statement"][0]["Action"] == ["s3:DeleteObject"]


# -- PostgreSQL


def test_a_wrong_password_is_not_told(patient):
    patient.connection(
        "postgres_default", login=patient.role, password="marked-secret", schema=patient.database
    )
    finding = patient.one("postgres", "PostgreSQL session")
    assert finding.status is Status.WRONG
    assert "password authentication failed" in finding.found
    assert "marked-secret" not in finding.to_text()


def test_a_server_that_only_reads(patient):
    patient.postgres(f"ALTER DATABASE {patient.database} SET default_transaction_read_only = on")
    finding = patient.one("postgres", "PostgreSQL session")
    assert finding.status is Status.WRONG
    assert "default_transaction_read_only is on for the role" in finding.found


def test_a_superuser_is_more_than_is_needed(patient):
    patient.postgres(f"ALTER ROLE {patient.role} SUPERUSER")
    assert patient.statuses("postgres")["PostgreSQL session"] == "ATTENTION"


def test_the_ledger_may_not_be_made(patient):
    patient.postgres("DROP SCHEMA snowmelt CASCADE")
    finding = patient.one("postgres", "Ledger")
    assert finding.status is Status.WRONG
    assert "may not create the ledger" in finding.found
    assert finding.remedy.steps == (f'CREATE SCHEMA snowmelt AUTHORIZATION "{patient.role}"',)
    patient.run_remedy(finding)
    assert patient.statuses("postgres")["Ledger"] == "OK"
    # The check makes it and takes it back.
    assert patient.postgres(
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'snowmelt'::regnamespace"
    ) == [(0,)]


def test_a_ledger_of_somebody_else(patient):
    from snowmelt.ledger.runs import write_ledger

    with patient.as_role(autocommit=True) as connection:
        write_ledger(connection)
    patient.postgres(
        "ALTER SCHEMA snowmelt OWNER TO postgres",
        f"REASSIGN OWNED BY {patient.role} TO postgres",
        f"GRANT USAGE ON SCHEMA snowmelt TO {patient.role}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA snowmelt TO {patient.role}",
    )
    finding = patient.one("postgres", "Ledger")
    assert finding.status is Status.WRONG
    assert "may not read and write " in finding.found
    assert "loaded_file, migration, rejected_row" in finding.found
    patient.run_remedy(finding)
    assert patient.statuses("postgres")["Ledger"] == "OK"


def test_aws_s3_is_wrong_only_where_it_is_asked_for(patient):
    assert patient.statuses("postgres")["aws_s3"] == "OK"
    patient.document["s3_staging"]["file_format"] = "csv"
    patient.document["sources"][0]["tables"][0]["load_method"] = "aws_s3"
    finding = patient.one("postgres", "aws_s3")
    assert finding.status is Status.WRONG
    assert "is not installed" in finding.found
    patient.run_remedy(finding)
    assert patient.statuses("postgres")["aws_s3"] == "OK"
    patient.postgres(f"REVOKE USAGE ON SCHEMA aws_s3 FROM {patient.role}")
    finding = patient.one("postgres", "aws_s3")
    assert finding.status is Status.WRONG
    assert "CREATE EXTENSION" not in finding.remedy.to_text()
    patient.run_remedy(finding)
    assert patient.statuses("postgres")["aws_s3"] == "OK"
    patient.postgres("DROP EXTENSION aws_s3 CASCADE")
    assert patient.statuses("postgres")["aws_s3"] == "WRONG"


# -- one table


def test_a_table_that_cannot_be_read(patient):
    patient.document["sources"][0]["tables"][0] = {"source": "Not There", "target": "t"}
    finding = patient.one("table", "Source")
    assert finding.status is Status.WRONG
    assert finding.remedy.steps == (
        'GRANT USAGE ON DATABASE "DOCTOR" TO ROLE "SNOWMELT_ROLE"',
        f'GRANT USAGE ON SCHEMA "DOCTOR"."{patient.schema}" TO ROLE "SNOWMELT_ROLE"',
        f'GRANT SELECT ON TABLE "DOCTOR"."{patient.schema}"."Not There" TO ROLE "SNOWMELT_ROLE"',
    )


def test_columns_without_a_place(patient):
    patient.postgres("CREATE TABLE public.t (id integer)", f"ALTER TABLE public.t OWNER TO {patient.role}")
    finding = patient.one("table", "Source")
    assert finding.status is Status.WRONG
    assert "NAME" in finding.found


def test_no_time_travel_is_told_and_mended(patient):
    patient.snowflake(f"ALTER TABLE DOCTOR.{patient.schema}.T SET DATA_RETENTION_TIME_IN_DAYS = 0")
    finding = patient.one("table", "Time travel")
    assert finding.status is Status.ATTENTION
    assert "retention is 0 days" in finding.found
    patient.run_remedy(finding)
    assert patient.statuses("table")["Time travel"] == "OK"


def test_a_table_of_mode_changes_whose_changes_are_not_recorded(patient):
    patient.document["sources"][0]["tables"] = [
        {"source": "T", "mode": "changes", "uniqueness_columns": ["ID"]}
    ]
    finding = patient.one("table", "Change tracking")
    assert finding.status is Status.WRONG
    assert finding.remedy.steps == (
        f'ALTER TABLE "DOCTOR"."{patient.schema}"."T" SET CHANGE_TRACKING = TRUE',
    )
    patient.run_remedy(finding)
    assert patient.statuses("table")["Change tracking"] == "OK"
    short = patient.one("table", "Time travel")
    assert "a nightly run in mode changes" in short.found
    patient.run_remedy(short)
    assert patient.statuses("table")["Time travel"] == "OK"


@pytest.mark.parametrize(
    ("break_it", "shown"),
    [
        ("REVOKE CREATE ON SCHEMA public FROM {role}", "may not create in the schema"),
        ("CREATE TABLE public.t (id integer PRIMARY KEY, name text)", "neither owns it"),
    ],
)
def test_a_target_that_may_not_be_replaced(patient, break_it, shown):
    patient.postgres(break_it.format(role=patient.role))
    finding = patient.one("table", "Target")
    assert finding.status is Status.WRONG
    assert shown in finding.found
    patient.run_remedy(finding)
    assert patient.statuses("table")["Target"] == "OK"


def test_a_target_schema_that_is_not_there(patient):
    patient.document["sources"][0]["target_schema"] = '"We""ird"'
    finding = patient.one("table", "Target")
    assert finding.found.startswith('the schema "We""ird" does not exist')
    patient.run_remedy(finding)
    assert patient.statuses("table")["Target"] == "OK"


def test_a_target_that_is_filled_in_place_needs_its_rights(patient):
    patient.document["sources"][0]["tables"][0] |= {"publish": "append"}
    patient.postgres("CREATE TABLE public.t (id integer PRIMARY KEY, name text)")
    finding = patient.one("table", "Target")
    assert finding.status is Status.WRONG
    while finding.status is Status.WRONG:
        patient.run_remedy(finding)
        finding = patient.one("table", "Target")
    assert finding.status is Status.OK
