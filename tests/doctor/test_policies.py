"""The doctor's look at Snowflake's policies on a configured table."""

from __future__ import annotations

from snowmelt.doctor.findings import Status


def test_a_masking_policy_on_a_copied_column(patient):
    patient.snowflake(
        f"CREATE MASKING POLICY DOCTOR.{patient.schema}.HIDE AS (V VARCHAR) RETURNS VARCHAR -> V",
        f"ALTER TABLE DOCTOR.{patient.schema}.T MODIFY COLUMN NAME SET MASKING POLICY DOCTOR.{patient.schema}.HIDE",
    )
    finding = patient.one("table", "Policies")
    assert finding.status is Status.ATTENTION
    assert f'masking policy DOCTOR.{patient.schema}.HIDE on "NAME"' in finding.found
    assert "values as the role SNOWMELT_ROLE sees them" in finding.found
    listing, look, grant = finding.remedy.steps
    assert look == f'SELECT "NAME" FROM "DOCTOR"."{patient.schema}"."T" LIMIT 5'
    assert grant.endswith('TO ROLE "SNOWMELT_ROLE"')
    assert patient.snowflake(listing)[0][2] == "HIDE"
    # A column that is not copied is nobody's loss.
    patient.document["sources"][0]["tables"][0]["columns"] = {"exclude": ["NAME"]}
    assert patient.statuses("table")["Policies"] == "OK"


def test_policies_that_hide_rows_or_hold_by_a_tag(patient):
    place = f"DOCTOR.{patient.schema}"
    assert patient.statuses("table")["Policies"] == "OK"
    patient.snowflake(
        f"CREATE ROW ACCESS POLICY {place}.SOME AS (V VARCHAR) RETURNS BOOLEAN -> V = 'a'",
        f"ALTER TABLE {place}.T ADD ROW ACCESS POLICY {place}.SOME ON (NAME)",
        f"CREATE MASKING POLICY {place}.HIDE AS (V VARCHAR) RETURNS VARCHAR -> '*'",
        f"CREATE TAG {place}.PERSONAL",
        f"ALTER TAG {place}.PERSONAL SET MASKING POLICY {place}.HIDE",
        f"ALTER TABLE {place}.T SET TAG {place}.PERSONAL = 'yes'",
    )
    finding = patient.one("table", "Policies")
    assert finding.status is Status.ATTENTION
    assert "rows that the role SNOWMELT_ROLE may see" in finding.found
    assert f'{place}.HIDE on "NAME" (by the tag {place}.PERSONAL)' in finding.found


def test_policies_that_cannot_be_told_are_not_called_ok(patient):
    patient.snowflake(f"CREATE VIEW DOCTOR.{patient.schema}.V AS SELECT * FROM DOCTOR.{patient.schema}.T")
    patient.document["sources"][0]["tables"][0]["source"] = "V"
    finding = patient.one("table", "Policies")
    assert finding.status is Status.ATTENTION
    assert "cannot be told" in finding.found


def test_a_policy_that_forbids_to_read_a_copied_column(patient):
    place = f"DOCTOR.{patient.schema}"
    patient.snowflake(
        f"CREATE PROJECTION POLICY {place}.NO AS () RETURNS PROJECTION_CONSTRAINT -> PROJECTION_CONSTRAINT(ALLOW => false)",
        f"ALTER TABLE {place}.T MODIFY COLUMN NAME SET PROJECTION POLICY {place}.NO",
    )
    finding = patient.one("table", "Source")
    assert finding.status is Status.WRONG
    assert "projection policy" in finding.found
    assert f'projection policy {place}.NO on "NAME"' in patient.one("table", "Policies").found
    patient.document["sources"][0]["tables"][0]["columns"] = {"exclude": ["NAME"]}
    assert patient.statuses("table")["Source"] == "OK"
