"""The DAG in docs/operators.md, executed as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg

PAGE = Path(__file__).parents[2] / "docs" / "operators.md"


def test_the_documented_dag_copies_a_table(demo, airflow_home, tmp_path):
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]
    with psycopg.connect(demo.user_dsn("app"), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS public.payers")
        connection.execute(demo.dimpayer_ddl("public.payers"))
        folder = tmp_path / "dags"
        folder.mkdir()
        (folder / "copy_payers.py").write_text(code)
        ran = airflow_home.dags_test("copy_payers", dags_folder=folder)
        assert ran.succeeded, ran.output[-4000:]
        (count,) = connection.execute("SELECT count(*) FROM public.payers").fetchone()
        assert count == demo.source_count("ANALYTICS.BI.DIMPAYER")
        connection.execute("DROP TABLE public.payers")
