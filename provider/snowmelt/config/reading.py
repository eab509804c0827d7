"""A pydantic model read out of plain values: the model, or every fault, and in either case the fields that are right."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from snowmelt.config.faults import Fault, Place, show_value, suggest
from snowmelt.config.fields import ERROR_TYPE

#: A text that every required field of the models takes: it keeps the place of a faulty one while the others are read.
STAND_IN = "stand-in"

_KINDS = {
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "an object",
    "mapping_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}


class Section(BaseModel):
    """The base of all models: frozen, and no key beyond the known ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")


ModelT = TypeVar("ModelT", bound=Section)

#: How a place's value is shown; the default shows the value itself.
Show = Callable[[Place, Any], str]


@dataclass(frozen=True, slots=True)
class Reading(Generic[ModelT]):
    """What came out of reading a model."""

    #: None when there are faults.
    value: ModelT | None
    faults: tuple[Fault, ...]
    #: The fields that are right, those left to their default included: what rules across fields may look at.
    good: Mapping[str, Any]


def read_model(
    model: type[ModelT],
    raw: Any,
    place: Place = (),
    *,
    known_faults: Collection[Place] = (),
    show: Show | None = None,
) -> Reading[ModelT]:
    """Read `raw` as `model`.

    :param place: where `raw` stands in its document.
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
    try:
        value = model.model_validate(raw)
    except ValidationError as error:
        details = error.errors(include_url=False)
    else:
        if not broken:
            return Reading(value, (), _fields(value))
        details = []
    faults = []
    for detail in details:
        spot = (*place, *detail["loc"])
        if not any(spot[: len(known)] == known for known in known_faults):
            faults.append(_fault(model, detail, spot, raw, show_found))
    wrong = broken | {str(detail["loc"][0]) for detail in details if detail["loc"]}
    return Reading(None, tuple(faults), _read_good(model, raw, wrong))


def _fields(value: Section) -> dict[str, Any]:
    return {name: getattr(value, name) for name in type(value).model_fields}


def _read_good(model: type[Section], raw: dict[str, Any], wrong: Collection[str]) -> dict[str, Any]:
    rest = {key: item for key, item in raw.items() if key not in wrong}
    for name, field in model.model_fields.items():
        if field.is_required() and name not in rest:
            rest[name] = STAND_IN
    try:
        value = model.model_validate(rest)
    except ValidationError:  # a required field that takes no text: nothing can be said about the others
        return {}
    return {name: item for name, item in _fields(value).items() if name not in wrong}


def _fault(model: type[Section], detail: ErrorDetails, spot: Place, raw: Any, show: Show) -> Fault:
    kind = detail["type"]
    context = detail.get("ctx", {})
    if kind == "extra_forbidden":
        names = list(_model_at(model, detail["loc"][:-1]).model_fields)
        name = str(spot[-1])
        near = suggest(name, names) or "Correct its name or delete it."
        return Fault(spot, "a key that is not known", f"one of {', '.join(names)}", near)
    if kind == "missing":
        known = _model_at(model, detail["loc"][:-1]).model_fields
        meaning = known[str(spot[-1])].description or "a value"
        siblings = [key for key in _value_at(raw, detail["loc"][:-1]) if key not in known]
        return Fault(spot, "nothing", meaning, _renamed(str(spot[-1]), siblings))
    if kind == ERROR_TYPE:
        return Fault(spot, show(spot, detail["input"]), context["expected"], context["advice"])
    return Fault(spot, show(spot, detail["input"]), _KINDS.get(kind, detail["msg"]))


def _renamed(name: str, unknown: Collection[str]) -> str:
    near = suggest(name, unknown)
    return near.replace("Did you mean", "Is it what was written as") if near else "Give it."


def _value_at(raw: Any, place: Place) -> Any:
    for step in place:
        raw = raw[step]
    return raw


def _model_at(model: type[BaseModel], place: Place) -> type[BaseModel]:
    """The model that reads the object at `place`, following fields that are models, and maps of models."""
    for step in place:
        field = model.model_fields.get(str(step))
        if field is None:
            continue
        inner = _model_in(field.annotation)
        if inner is not None:
            model = inner
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _model_in(argument)
        if found is not None:
            return found
    return None
