"""The pages: who may see which rows, that hostile names stay text, and that the ledger is enough where Airflow has forgotten."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest

from snowmelt.errors import Topic
from tests.web.conftest import FORGOTTEN, HOSTILE, PLANNED_LABEL, RUN, UNPLANNED

PAGE = "/snowmelt/run"
ROUTES = [
    "/snowmelt/migrations",
    "/snowmelt/migrations.json",
    "/snowmelt/table",
    "/snowmelt/troubleshooting",
    PAGE,
    "/snowmelt/run.json",
    "/snowmelt/static/page.js",
]


class Page(HTMLParser):
    """The tags, the attributes and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return " ".join(text for text in self.texts if text)

    def links(self) -> list[str]:
        return [str(attributes["href"]) for tag, attributes in self.tags if tag == "a"]


def shown(site, path, user="all", **query) -> Page:
    answer = site.get(path, user, **query)
    assert answer.status == 200, answer.text
    return Page(answer.text)


@pytest.mark.parametrize("route", ROUTES)
def test_nobody_sees_anything_without_a_login(site, route):
    answer = site.get(
        route, None, dag_id="migrate_table", run_id=RUN, source="A.B.FORGOTTEN", target="public.forgotten"
    )
    assert answer.status == 401
    assert "script" not in answer.text


def test_a_broken_token_is_refused(site):
    site.tokens["broken"] = site.tokens["all"][:-4] + "AAAA"
    assert site.get("/snowmelt/migrations", "broken").status in {401, 403}


@pytest.mark.parametrize("route", [PAGE, "/snowmelt/run.json"])
def test_a_run_of_another_dag_is_refused(site, route):
    assert site.get(route, "narrow", dag_id="migrate_table", run_id=RUN).status == 403
    assert site.get(route, "narrow", dag_id="a_dag_that_is_gone", run_id=FORGOTTEN).status == 403
    assert site.get(route, "narrow", dag_id="migrate__analytics__dimpayer", run_id=FORGOTTEN).status == 200


def test_two_dag_ids_do_not_borrow_each_others_rights(site):
    run = f"run_id={RUN.replace('+', '%2B')}"
    for query in (
        f"dag_id=migrate_table&dag_id=migrate__analytics__dimpayer&{run}",
        f"dag_id=migrate__analytics__dimpayer&dag_id=migrate_table&{run}",
        f"dag_id=~&{run}",
        f"{run}",
    ):
        answer = site.get(f"{PAGE}?{query}", "narrow")
        assert answer.status in {200, 403, 422}
        assert "VALUE-SECRET" not in answer.text
        assert "quoted" not in answer.text


def test_the_list_hides_what_a_user_may_not_read(site):
    def tables(user):
        found = site.get("/snowmelt/migrations.json", user).json["tables"]
        return {table["target"] for table in found if table["source"]}

    assert tables("all") == {f"public.{HOSTILE}", "public.forgotten", "public.gone"}
    assert tables("narrow") == {"public.forgotten"}
    assert tables("none") == set()
    page = site.get("/snowmelt/migrations", "narrow").text
    assert "FORGOTTEN" in page
    for hidden in ("GONE", "quoted", "migrate_table", "factvisit"):
        assert hidden not in page.replace("../dags/migrate_table", "")


def test_names_stay_text(site):
    for page in (shown(site, "/snowmelt/migrations"), shown(site, PAGE, dag_id="migrate_table", run_id=RUN)):
        scripts = [attributes for tag, attributes in page.tags if tag == "script"]
        assert [script["src"] for script in scripts] == ["static/page.js?v=0.1.0"]
        assert not [
            tag for tag, _ in page.tags if tag in {"img", "i", "b", "iframe", "object", "form", "style"}
        ]
        assert not [
            name
            for _, attributes in page.tags
            for name in attributes
            if name.startswith("on") or name == "style"
        ]
        assert " ".join(HOSTILE.split()) in page.text
    assert PLANNED_LABEL in page.text


def test_pages_allow_nothing_but_their_own_files(site):
    for path in ("/snowmelt/migrations", "/snowmelt/migrations.json"):
        headers = site.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
    assert site.get("/snowmelt/static/page.js").headers["Content-Type"].startswith("text/javascript")
    for name in ("app.py", "..%2Fapp.py", "../app.py", "page.js.map"):
        assert "FastAPI" not in site.get(f"/snowmelt/static/{name}").text


def test_a_failed_file_can_be_cleared_by_who_may(site):
    page = shown(site, PAGE, dag_id="migrate_table", run_id=RUN)
    assert "VALUE-SECRET <img src=x onerror=alert(1)>" in page.text
    buttons = {attributes["id"]: attributes for tag, attributes in page.tags if tag == "button"}
    assert set(buttons) == {"clear-all", "clear-load-0", "clear-load-2"}
    assert json.loads(buttons["clear-all"]["data-tasks"]) == [["load", 2], ["load", 0]]
    button = buttons["clear-load-0"]
    assert (button["data-dag"], button["data-run"], button["data-task"], button["data-index"]) == (
        "migrate_table",
        RUN,
        "load",
        "0",
    )
    assert (
        "../dags/migrate_table/runs/manual__2026-11-22T12%3A00%3A00%2B00%3A00/tasks/load/mapped/0"
        in page.links()
    )
    assert not [
        tag
        for tag, _ in shown(site, PAGE, "viewer", dag_id="migrate_table", run_id=RUN).tags
        if tag == "button"
    ]


def test_errors_are_for_those_who_may_read_logs(site):
    assert "VALUE-SECRET" not in site.get(PAGE, "nologs", dag_id="migrate_table", run_id=RUN).text
    failures = site.get("/snowmelt/run.json", "nologs", dag_id="migrate_table", run_id=RUN).json["failures"]
    assert [failure["error"] for failure in failures] == [None, None]
    assert "You may not read the logs" in site.get(PAGE, "nologs", dag_id="migrate_table", run_id=RUN).text


def test_where_a_run_stands_as_json(site):
    run = site.get("/snowmelt/run.json", dag_id="migrate_table", run_id=RUN).json
    assert (run["load"]["rows_done"], run["load"]["bytes_done"], run["verified"]) == (50, 1000, "open")
    steps = {step["task_id"]: step["word"] for step in run["steps"]}
    assert (steps["plan"], steps["unload"], steps["load"], steps["publish"]) == (
        "done",
        "done",
        "failed",
        "waiting",
    )
    assert site.get("/snowmelt/run.json", dag_id="migrate_table", run_id="nothing").status == 404


def test_a_run_that_airflow_has_forgotten_is_still_shown(site):
    for dag_id, table in (
        ("migrate__analytics__dimpayer", "public.forgotten"),
        ("a_dag_that_is_gone", "public.gone"),
    ):
        page = shown(site, PAGE, dag_id=dag_id, run_id=FORGOTTEN)
        assert table in page.text
    page = shown(site, "/snowmelt/migrations").text
    assert "1,234" in page
    assert "its DAG is gone" in page


def test_a_run_without_a_plan_says_why(site):
    page = shown(site, PAGE, dag_id="migrate_table", run_id=UNPLANNED)
    assert "its plan was never stored" in page.text
    assert "no such table" in page.text


def test_the_history_of_a_table_is_for_those_who_may_read_its_dag(site):
    names = {"source": "A.B.FORGOTTEN", "target": "public.forgotten"}
    page = shown(site, "/snowmelt/table", "narrow", **names)
    assert "A.B.FORGOTTEN" in page.text
    assert "1,234" in page.text
    hidden = shown(site, "/snowmelt/table", "narrow", source="A.B.GONE", target="public.gone").text
    assert "No run of this table that you may see" in hidden
    hostile = shown(site, "/snowmelt/table", source=HOSTILE, target=f"public.{HOSTILE}")
    assert " ".join(HOSTILE.split()) in hostile.text
    assert not [tag for tag, _ in hostile.tags if tag in {"img", "iframe", "style"}]


def test_an_error_leads_to_its_section(site):
    page = shown(site, PAGE, dag_id="migrate_table", run_id=UNPLANNED)
    assert "troubleshooting#snowflake-grant" in page.links()
    sections = {
        attributes.get("id")
        for tag, attributes in shown(site, "/snowmelt/troubleshooting").tags
        if tag.startswith("h")
    }
    assert set(Topic) <= sections


def test_the_plugin_is_there_once(site):
    plugins = site.get("/api/v2/plugins").json["plugins"]
    (plugin,) = [plugin for plugin in plugins if plugin["name"] == "snowmelt"]
    assert {view["destination"]: view["href"] for view in plugin["external_views"]} == {
        "nav": "snowmelt/migrations",
        "dag_run": "snowmelt/run?dag_id={DAG_ID}&run_id={RUN_ID}",
    }
    assert site.get("/api/v2/plugins/importErrors").json["total_entries"] == 0


@pytest.mark.parametrize(
    ("conf", "named"),
    [
        ({}, "source_database"),
        ({"mode": "ful"}, "mode"),
        ({"chunk_rows": 0}, "chunk_rows"),
        ({"max_file_size_mb": 5000}, "max_file_size_mb"),
        ({"run_id": "a/../b"}, "run_id"),
    ],
)
def test_a_bad_form_is_refused_before_the_run_starts(site, conf, named):
    source = {"source_database": "A", "source_schema": "B", "source_table": "C"} if conf else {}
    answer = site.post("/api/v2/dags/migrate_table/dagRuns", {"logical_date": None, "conf": source | conf})
    assert answer.status == 400
    assert named in answer.text


@pytest.mark.parametrize(
    "query", [{"dag_id": "migrate_table", "run_id": "a\x00b"}, {"dag_id": "\x00", "run_id": RUN}]
)
def test_a_nul_in_a_name_is_refused(site, query):
    assert site.get(PAGE, **query).status == 400
    assert site.get("/snowmelt/run.json", **query).status == 400
