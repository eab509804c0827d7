"""The DAG in docs/operators.md, executed as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.conftest import ROOT
from tests.dags.conftest import environment, migrate


def test_the_documented_dag_copies_a_table(demo, run_dags, app, tmp_path):
    code = re.search(r"```python\n(.*?)```", (ROOT / "docs/operators.md").read_text(), re.DOTALL)[1]
    (tmp_path / "copy_payers.py").write_text(code)
    assert run_dags(migrate("DIMPAYER", target_table="payers_model"))[0].state == "success"
    app.execute("DROP TABLE IF EXISTS public.payers")
    app.execute("CREATE TABLE public.payers (LIKE public.payers_model)")
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "dags", "test", "copy_payers"],
        env=environment(demo, AIRFLOW__CORE__DAGS_FOLDER=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert app.execute("SELECT count(*) FROM public.payers").fetchone() == (500,)
    same = "SELECT count(*) FROM (SELECT * FROM public.payers EXCEPT SELECT * FROM public.payers_model) AS difference"
    assert app.execute(same).fetchone() == (0,)
    app.execute("DROP TABLE public.payers, public.payers_model")
