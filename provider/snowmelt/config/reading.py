"""A pydantic model read out of plain values: the model, or every fault, and in either case the fields that are right."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Generic

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from snowmelt.config.faults import Fault, Place, show_place, show_value, suggest
from snowmelt.config.settings import (
    ERROR_TYPE,
    WRITTEN,
    Section,
    SectionT,
    Written,
    describe,
    find_part,
    parts_of,
    setting_of,
)

#: A text that every required field of the models takes: it keeps the place of a faulty one while the others are read.
_PLACEHOLDER = "placeholder"

_KINDS = {
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "an object",
    "mapping_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}


#: How a place's value is shown; the default shows the value itself.
Show = Callable[[Place, Any], str]


@dataclass(frozen=True, slots=True)
class Reading(Generic[SectionT]):
    """What came out of reading a model."""

    #: None when there are faults.
    value: SectionT | None
    faults: tuple[Fault, ...]
    #: The fields that are right, those left to their default included: what rules across fields may read.
    good: Mapping[str, Any]
    #: Old words that are written there; they are accepted.
    warnings: tuple[str, ...] = ()


def read_model(
    model: type[SectionT],
    raw: Any,
    place: Place = (),
    *,
    known_faults: Collection[Place] = (),
    show: Show | None = None,
) -> Reading[SectionT]:
    """Read `raw` as `model`.

    :param place: where `raw` is in its document.
    :param known_faults: places that were found faulty before: nothing more is said about them, and they are not right.
    :param show: what a message shows for the value at a place.
    """
    show_found = show or (lambda _place, value: show_value(value))
    if not isinstance(raw, dict):
        return Reading(None, (Fault(place, show_found(place, raw), "an object"),), {})
    broken = {
        str(known[len(place)])
        for known in known_faults
        if len(known) > len(place) and known[: len(place)] == place
    }
    raw, old_settings = replace_old_settings(model, raw, place)
    warnings = (*old_settings, *_find_old_words(model, raw, place))
    try:
        value = model.model_validate(raw, context=WRITTEN)
    except ValidationError as error:
        details = error.errors(include_url=False)
    else:
        if not broken:
            return Reading(value, (), _fields(value), warnings)
        details = []
    faults = []
    for detail in details:
        spot = (*place, *detail["loc"])
        if not any(spot[: len(known)] == known for known in known_faults):
            faults.append(_fault(model, detail, spot, raw, show_found))
    wrong = broken | {str(detail["loc"][0]) for detail in details if detail["loc"]}
    return Reading(None, tuple(faults), _read_good(model, raw, wrong), warnings)


def replace_old_settings(
    model: type[Section], raw: Mapping[str, Any], place: Place = ()
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The values with today's settings in place of those of an earlier version, and a warning for each of these.

    A value that the old setting did not have stays under its name, and is reported as a key that is not known.
    """
    values, warnings = dict(raw), []
    for name, field in model.model_fields.items():
        old = setting_of(field).formerly
        text = "" if old is None else str(values.get(old.name)).strip().lower()
        if old is None or text not in old.values:
            continue
        del values[old.name]
        values.setdefault(name, old.values[text])
        today = f'Write "{name}": "{old.values[text]}".'
        warnings.append(f"{show_place((*place, old.name))}: an old setting, which still works. {today}")
    return values, tuple(warnings)


def _find_old_words(model: type[Section], raw: Mapping[str, Any], place: Place) -> tuple[str, ...]:
    warnings = []
    for name in raw.keys() & model.model_fields.keys():
        written = find_part(model.model_fields[name], Written)
        old_words = written.vocabulary.old_words() if written and written.vocabulary else {}
        word = old_words.get(str(raw[name]).strip())
        if word is not None:
            where = show_place((*place, name))
            warnings.append(f'{where}: "{raw[name]}" is an old word, which still works. Write "{word}".')
    return tuple(warnings)


def _fields(value: Section) -> dict[str, Any]:
    return {name: getattr(value, name) for name in type(value).model_fields}


def _read_good(model: type[Section], raw: dict[str, Any], wrong: Collection[str]) -> dict[str, Any]:
    rest = {key: item for key, item in raw.items() if key not in wrong}
    for name, field in model.model_fields.items():
        if field.is_required() and name not in rest:
            rest[name] = _PLACEHOLDER
    try:
        value = model.model_validate(rest, context=WRITTEN)
    except ValidationError:  # a required field that takes no text: nothing can be said about the others
        return {}
    return {name: item for name, item in _fields(value).items() if name not in wrong}


def _fault(model: type[Section], detail: ErrorDetails, spot: Place, raw: Any, show: Show) -> Fault:
    kind, within = detail["type"], detail["loc"][:-1]
    known = _model_at(model, within).model_fields
    name = str(spot[-1]) if detail["loc"] else ""
    if kind == "extra_forbidden":
        near = suggest(name, known) or "Correct its name or delete it."
        return Fault(spot, "a key that is not known", f"one of {', '.join(known)}", near)
    if kind == "missing":
        siblings = [key for key in _value_at(raw, within) if key not in known]
        near = suggest(name, siblings).replace("Did you mean", "Is it what was written as")
        return Fault(spot, "nothing", setting_of(known[name]).meaning, near or "Give it.")
    found = show(spot, detail["input"])
    if kind == ERROR_TYPE:
        context = detail.get("ctx", {})
        return Fault(spot, found, context["expected"], context["advice"])
    expected = describe(known[name]) if name in known else ""
    return Fault(spot, found, _KINDS.get(kind) or expected or detail["msg"])


def _value_at(raw: Any, place: Place) -> Any:
    for step in place:
        raw = raw[step]
    return raw


def _model_at(model: type[BaseModel], place: Place) -> type[BaseModel]:
    """The model that reads the object at `place`, following fields that are models, and maps of models."""
    for step in place:
        field = model.model_fields.get(str(step))
        inner = None if field is None else next(filter(_is_model, parts_of(field)), None)
        model = inner or model
    return model


def _is_model(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, BaseModel)
