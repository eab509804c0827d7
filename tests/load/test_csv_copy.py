from __future__ import annotations

import pytest

from snowmelt.errors import ConfigurationError, StagingError
from snowmelt.load.aws_s3 import Imported, build_aws_s3_options, parse_imported
from snowmelt.load.csv import build_csv_copy
from snowmelt.load.target import LoadColumn, LoadTarget
from snowmelt.types.type_names import parse_postgres_type
from snowmelt.types.type_table import Form
from snowmelt.unload.statements import csv_file_format


def test_the_two_sides_of_the_dialect():
    assert csv_file_format("gzip") == (
        "(TYPE = CSV COMPRESSION = GZIP FIELD_DELIMITER = ',' RECORD_DELIMITER = '\\n' "
        "FIELD_OPTIONALLY_ENCLOSED_BY = '\"' ESCAPE = NONE ESCAPE_UNENCLOSED_FIELD = NONE "
        "NULL_IF = ('\\\\N') EMPTY_FIELD_AS_NULL = FALSE)"
    )
    assert build_aws_s3_options() == (
        "(FORMAT csv, DELIMITER ',', QUOTE '\"', ESCAPE '\"', NULL '\\N', ENCODING 'UTF8')"
    )


def test_names_are_quoted():
    columns = (
        LoadColumn("ID", Form.INTEGER, "id", parse_postgres_type("bigint")),
        LoadColumn("X", Form.TEXT, 'Visit "Id"', parse_postgres_type("text")),
    )
    assert build_csv_copy(LoadTarget("bi", 'o"; DROP', columns)) == (
        'COPY "bi"."o""; DROP" ("id", "Visit ""Id""") FROM STDIN '
        "(FORMAT csv, DELIMITER ',', QUOTE '\"', ESCAPE '\"', NULL '\\N', ENCODING 'UTF8')"
    )


@pytest.mark.parametrize("compression", ["brotli", "", "none) OVERWRITE = TRUE --"])
def test_other_compressions_are_refused(compression):
    with pytest.raises(ConfigurationError, match="choose one of none, gzip, zstd"):
        csv_file_format(compression)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            '87701673 rows imported into relation "t" from file x.csv of 6539180310 bytes',
            Imported(87701673, 6539180310),
        ),
        ('0 rows imported into relation "a\nb" from file d/x of y.csv of 0 bytes', Imported(0, 0)),
        (12, Imported(12, None)),
        (" 12 ", Imported(12, None)),
    ],
)
def test_answers_of_aws_s3(answer, expected):
    assert parse_imported(answer) == expected


@pytest.mark.parametrize("answer", [None, "", "done", "-1", "12 rows", "1.5"])
def test_an_answer_without_a_count_is_refused(answer):
    with pytest.raises(StagingError, match="no row count can be read"):
        parse_imported(answer)
