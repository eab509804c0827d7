"""The tables of settings in docs/configuration.md, made from the declarations.

`python -m snowmelt.config.reference docs/configuration.md` writes them again between their markers.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from snowmelt.config.form import EarlierRun
from snowmelt.config.sections import Connections, Execution, FileSettings, Forms, S3Staging, SnowflakeUnload
from snowmelt.config.settings import Section, Setting, Whole, Written, find_part, parts_of, setting_of
from snowmelt.config.table import ColumnsConfig, Mask, SourceEntry, TableEntry

#: Name of a table of the page → the models whose settings it lists, each with what precedes their names.
TABLES: dict[str, tuple[tuple[str, type[Section]], ...]] = {
    "s3_staging": (("", S3Staging),),
    "snowflake_unload": (("", SnowflakeUnload),),
    "connections": (("", Connections),),
    "execution": (("", Execution),),
    "forms": (("", Forms),),
    "sources[]": (("", SourceEntry),),
    "tables[]": (("", TableEntry),),
    "columns": (("", ColumnsConfig), ("mask.", Mask)),
    "the form alone": (("", EarlierRun),),
}

_MARKED = re.compile(r"(<!-- settings: ([^>]+) -->\n).*?(<!-- end of settings -->)", re.DOTALL)
_LARGE = 10**6


def write_settings(page: str) -> str:
    """The page with its tables as the declarations are now."""
    return _MARKED.sub(lambda match: f"{match[1]}\n{_build_table(match[2])}\n{match[3]}", page)


def _build_table(name: str) -> str:
    asked = name in {"sources[]", "tables[]", "the form alone"}
    head = ["key", "type", "default", *(["in the form"] if asked else []), "meaning"]
    lines = [head, ["---"] * len(head)]
    for prefix, model in TABLES[name]:
        for key, declared in model.model_fields.items():
            setting = setting_of(declared)
            form = [setting.title] if asked else []
            default = _default(declared, inherited=model is TableEntry and key in FileSettings.model_fields)
            lines.append([f"`{prefix}{key}`", _kind(declared), default, *form, _meaning(declared, setting)])
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _kind(declared: FieldInfo) -> str:
    if get_origin(declared.annotation) is dict:
        key, value = (FieldInfo.from_annotation(part) for part in get_args(declared.annotation))
        return f"{_kind(key)} → {_kind(value)}"
    whole = find_part(declared, Whole)
    if whole is not None:
        return f"{_number(whole.least)} … {_number(whole.greatest)}"
    written = find_part(declared, Written)
    if written is not None:
        return written.kind
    parts = list(parts_of(declared))
    if bool in parts:
        return "true, false"
    return (
        "object" if any(isinstance(part, type) and issubclass(part, BaseModel) for part in parts) else "list"
    )


def _number(value: int) -> str:
    power = len(str(value)) - 1
    if value >= _LARGE and value == 10**power:
        return "10" + str(power).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return str(value)


def _default(declared: FieldInfo, *, inherited: bool) -> str:
    if declared.is_required():
        return "required"
    if inherited:
        return "as in `s3_staging`"
    value = declared.default
    if value is None or isinstance(value, (tuple, dict, BaseModel)):
        return setting_of(declared).unset
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _meaning(declared: FieldInfo, setting: Setting) -> str:
    written = find_part(declared, Written)
    return " ".join(
        filter(None, (setting.help, *_choices(written.schema if written else {}), setting.details))
    )


def _choices(schema: Mapping[str, Any]) -> Iterator[str]:
    labels = schema.get("values_display", {})
    said = [label for word, label in labels.items() if label != word]
    if said:
        words = (label.partition(": ") for label in said)
        yield "; ".join(f"`{word}`: {does}" for word, _, does in words) + "."


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(write_settings(path.read_text(encoding="utf-8")), encoding="utf-8")
