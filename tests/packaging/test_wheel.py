"""What is in the wheel, and what it says about itself."""

from __future__ import annotations

import re
import zipfile
from email.parser import Parser

import snowmelt
from tests.conftest import ROOT

CODE = ROOT / "provider"


def test_it_holds_the_package_and_nothing_else(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    info = f"airflow_provider_snowmelt-{snowmelt.__version__}.dist-info/"
    sources = {
        path.relative_to(CODE).as_posix()
        for path in (CODE / "snowmelt").rglob("*")
        if path.is_file() and path.suffix in {".py", ".typed", ".html", ".css", ".js", ".svg"}
    }
    assert {name for name in names if not name.startswith(info)} >= sources
    assert {name.split("/")[0] for name in names} == {"snowmelt", info.rstrip("/")}
    assert "snowmelt/py.typed" in names
    assert f"{info}licenses/LICENSE" in names
    assert not [name for name in names if name.endswith((".pyc", ".env", ".pem"))]


def test_its_metadata(wheel):
    assert wheel.name == f"airflow_provider_snowmelt-{snowmelt.__version__}-py3-none-any.whl"
    archive = zipfile.ZipFile(wheel)
    info = next(name for name in archive.namelist() if name.endswith("/METADATA")).rpartition("/")[0]
    metadata = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
    assert metadata["Name"] == "airflow-provider-snowmelt"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("License-File") == ["LICENSE"]
    assert "Framework :: Apache Airflow :: Provider" in metadata.get_all("Classifier")
    needed = {re.split(r"[^A-Za-z0-9-]", text)[0] for text in metadata.get_all("Requires-Dist")}
    assert needed >= {
        "apache-airflow",
        "apache-airflow-providers-amazon",
        "apache-airflow-providers-postgres",
        "apache-airflow-providers-snowflake",
    }
    points = archive.read(f"{info}/entry_points.txt").decode().split()
    assert sorted(points) == sorted(
        "[airflow.plugins] snowmelt = snowmelt.web.plugin:SnowmeltPlugin "
        "[apache_airflow_provider] provider_info = snowmelt.get_provider_info:get_provider_info".split()
    )
