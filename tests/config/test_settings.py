"""Every setting is declared once and whole: what it means, where the form asks for it, what overrides it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import Field

from snowmelt.config.form import NAMES, SECTIONS, RequestParameters, build_form
from snowmelt.config.policies import Policies
from snowmelt.config.reference import TABLES
from snowmelt.config.sections import Connections, Execution, FileSettings
from snowmelt.config.settings import Section, Written, find_part, make_model, override, setting, setting_of
from snowmelt.config.table import CopySettings, TableEntry

PROVIDER = Path(__file__).parents[2] / "provider" / "snowmelt"
FIELDS = {
    f"{model.__name__}.{name}": field
    for parts in TABLES.values()
    for _, model in parts
    for name, field in model.model_fields.items()
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_setting_says_what_it_means_and_has_a_whole_place_in_the_form_or_none(name):
    said = setting_of(FIELDS[name])
    assert re.fullmatch(r"\S.*\.", said.help)
    assert said.details == "" or re.fullmatch(r"\S.*\.", said.details)
    assert bool(said.title) == bool(said.section)
    assert said.section in {"", *SECTIONS}


def test_the_form_asks_for_every_setting_that_has_a_place_in_it():
    placed = {name.partition(".")[2] for name, field in FIELDS.items() if setting_of(field).section}
    renamed = {"source": "source_table", "target": "target_table"}
    assert {renamed.get(name, name) for name in placed} == set(NAMES) == set(build_form(None, None))
    titles = [field.schema["title"] for field in build_form(None, None).values()]
    assert len(set(titles)) == len(titles)


def test_every_word_that_the_form_offers_says_what_it_does():
    for field in RequestParameters.model_fields.values():
        written = find_part(field, Written)
        for word, label in (written.schema if written else {}).get("values_display", {}).items():
            assert label.startswith(f"{word}: ")


def test_a_field_that_is_not_declared_as_a_setting_is_refused():
    class Careless(Section):
        chunk_rows: int = Field(5)

    with pytest.raises(TypeError, match="not declared by setting"):
        make_model("Form", Careless)


def test_what_a_table_may_override_is_what_the_sections_have():
    for name, section in (("connections", Connections), ("execution", Execution)):
        overrides = TableEntry.model_fields[name].default
        assert list(type(overrides).model_fields) == list(section.model_fields)
        assert override(section(), overrides) == section()
    given = TableEntry.model_validate({"source": "A", "execution": {"priority": 7, "lock_timeout_s": 5}})
    assert override(Execution(priority=2, index_workers=4), given.execution) == Execution(
        priority=7, index_workers=4, lock_timeout_s=5
    )
    assert set(FileSettings.model_fields) <= set(TableEntry.model_fields)


def test_a_new_setting_is_in_the_file_the_form_and_the_schema_by_its_declaration_alone():
    class More(Section):
        sampled: int | None = setting(None, "Rows to sample.", form=("Tuning", "Sample"))

    form = make_model("Form", CopySettings, More)
    assert form.model_json_schema()["properties"]["sampled"]["title"] == "Sample"
    assert form.model_json_schema()["properties"]["sampled"]["description_md"] == "Rows to sample."
    assert form.model_validate({"sampled": 5}).sampled == 5


@pytest.mark.parametrize(
    "name", [*CopySettings.model_fields, *Policies.model_fields, *FileSettings.model_fields]
)
def test_a_setting_is_declared_in_one_place(name):
    declared = [
        path.name
        for path in PROVIDER.glob("config/*.py")
        if re.search(rf"^    {name}: [^=]*= setting\(", path.read_text(), re.MULTILINE)
    ]
    assert len(declared) == 1
