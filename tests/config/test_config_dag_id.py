"""The ids of the configured tables' DAGs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.config.tables import build_dag_id


@pytest.mark.parametrize(
    ("source_name", "target", "dag_id"),
    [
        ("analytics", "dimpayer", "migrate__analytics__dimpayer"),
        ("analytics", "Fact.v1-2", "migrate__analytics__Fact.v1-2"),
        ("analytics", "Visit Id", "migrate__analytics__Visit_Id_773c22ac"),
        ("analytics", "Größe", "migrate__analytics__Gr__e_bbd6afb4"),
        ("a/b", "c", "migrate__a_b__c_51a83b4c"),
        ("a", "b..c", "migrate__a__b._c_c2b92cc3"),
    ],
)
def test_ids(source_name, target, dag_id):
    assert build_dag_id(source_name, target) == dag_id


def test_a_long_id_is_cut_and_stays_unique():
    one, other = build_dag_id("a" * 300, "x"), build_dag_id("a" * 300, "y")
    assert len(one) == len(other) == 250
    assert one != other


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)


@given(NAMES, NAMES)
def test_airflow_takes_every_id(source_name, target):
    dag_id = build_dag_id(
        source_name, target
    )  # the rule is that of airflow.utils.helpers.validate_key, in ASCII
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,250}", dag_id)
    assert ".." not in dag_id
