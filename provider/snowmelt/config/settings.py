"""How a setting is declared, once: a field of a pydantic model, with a `Setting` beside its type, bounds and default.

From the declarations are made: what reads the file and a run's parameters (reading.py), overrides (`make_model`), the trigger
form (form.py) and the tables of docs/configuration.md (reference.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
    create_model,
)
from pydantic.fields import FieldInfo
from pydantic_core import (
    CoreSchema,
    PydanticCustomError,
    PydanticKnownError,
    core_schema,
)

from snowmelt.config.faults import suggest
from snowmelt.vocabulary import Word

#: The context of a validation whose values were written by a person. Stored values are taken as they are: a name that was
#: read once is exact, and must not be folded a second time.
WRITTEN = "written"
#: The type of the errors that carry the words of a fault.
ERROR_TYPE = "snowmelt"

PartT = TypeVar("PartT")
SectionT = TypeVar("SectionT", bound="Section")


class Section(BaseModel):
    """The base of all models: frozen, and no key beyond the known ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True, eq=False)
class Formerly:
    """A setting of an earlier version, which is still accepted in place of the one of today."""

    name: str
    #: Each of its values, as a text → the value of today's setting.
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is said about a setting, beside its type, bounds and default. Pydantic keeps it as the field's `json_schema_extra`."""

    help: str
    details: str = ""
    unset: str = "none"
    #: Section of the trigger form and label there; empty: the form does not ask for it.
    section: str = ""
    title: str = ""
    formerly: Formerly | None = None

    def __call__(self, schema: dict[str, Any]) -> None:
        """Add what Airflow's form shows to the setting's JSON schema."""
        schema.update(title=self.title, section=self.section, description_md=self.help)

    @property
    def meaning(self) -> str:
        """What the value is, as a part of a sentence."""
        first = re.split(r"[.:;](?:\s|$)", self.help, maxsplit=1)[0]
        return first[:1].lower() + first[1:]


def setting(
    default: Any,
    text: str,
    *,
    details: str = "",
    unset: str = "none",
    form: tuple[str, str] = ("", ""),
    formerly: Formerly | None = None,
) -> Any:
    """Declare a setting, as the value of a model's field: its default, and what is said about it.

    :param default: `...`: it has to be given.
    :param text: what it means, in Markdown, for the docs and, where it is asked for, the form. Its first sentence says what
        the value is: the error of a missing value takes it from here.
    :param details: what the docs say besides.
    :param unset: what the docs show as the default where it is None or empty.
    :param form: section of the trigger form and label there; without them the form does not ask for it.
    :param formerly: the setting of an earlier version that it replaces.
    """
    section, title = form
    said = Setting(help=text, details=details, unset=unset, section=section, title=title, formerly=formerly)
    return Field(default, json_schema_extra=said)


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """How a text or a list that a person writes becomes a value; beside the type in an `Annotated`."""

    #: What was written in, value out; refuses by `refuse`.
    read: Callable[[Any], Any]
    #: What the docs call it.
    kind: str
    #: Its JSON schema in the trigger form.
    schema: Mapping[str, Any] = field(default_factory=dict)
    #: The class of a word, whose old words are accepted too.
    vocabulary: type[Word] | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_before_validator_function(self._validate, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return dict(self.schema)

    def _validate(self, value: Any, info: ValidationInfo) -> Any:
        return self.read(value) if info.context == WRITTEN else value


def refuse(expected: str, advice: str = "") -> PydanticCustomError:
    """The error of a value that is not what was expected."""
    return PydanticCustomError(ERROR_TYPE, "expected {expected}", {"expected": expected, "advice": advice})


def choice(words: Mapping[Any, str] | type[Word]) -> Written:
    """One of some words of a vocabulary, to the letter, or an old word for one of them.

    :param words: each with what it does; or all of a class, where the setting says it.
    """
    labels = dict(words) if isinstance(words, Mapping) else dict.fromkeys(words, "")
    vocabulary: type[Word] = type(next(iter(labels)))
    expected = f"one of {', '.join(labels)}"

    def read(value: Any) -> Word:
        text = value.strip() if isinstance(value, str) else ""
        try:
            word = vocabulary(text)
        except ValueError:
            raise refuse(expected, suggest(text, labels)) from None
        if word not in labels:
            raise refuse(expected)
        return word

    shown = {str(word): f"{word}: {does}" if does else str(word) for word, does in labels.items()}
    schema = {"type": "string", "enum": list(shown), "values_display": shown}
    return Written(read, ", ".join(f"`{word}`" for word in labels), schema, vocabulary)


@dataclass(frozen=True, slots=True)
class Whole:
    """The bounds of a whole number; beside `int` in an `Annotated`. Digits in a text are taken too."""

    least: int
    greatest: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        bounded = core_schema.int_schema(ge=self.least, le=self.greatest)
        return core_schema.no_info_before_validator_function(_refuse_flag, bounded)


def _refuse_flag(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticKnownError("int_type")
    return value


def _read_flag(value: Any) -> bool:
    text = value.strip().lower() if isinstance(value, str) else value
    if text in ("true", "false"):  # `${VAR}` can only fill a text
        return bool(text == "true")
    if not isinstance(value, bool):
        raise PydanticKnownError("bool_type")
    return value


Flag = Annotated[bool, BeforeValidator(_read_flag)]


def parts_of(declared: FieldInfo) -> Iterator[Any]:
    """Every type and annotation that a field is declared with, the inner ones of `X | None` and of containers included."""
    yield from declared.metadata
    waiting = [declared.annotation]
    while waiting:
        part = waiting.pop(0)
        yield part
        waiting.extend(get_args(part))


def find_part(declared: FieldInfo, kind: type[PartT]) -> PartT | None:
    """The first annotation of a kind."""
    return next((part for part in parts_of(declared) if isinstance(part, kind)), None)


def setting_of(declared: FieldInfo) -> Setting:
    """What is said about a setting.

    :raises TypeError: nothing is.
    """
    if not isinstance(declared.json_schema_extra, Setting):
        raise TypeError(f"A field of type {declared.annotation} is not declared by setting(…).")
    return declared.json_schema_extra


def describe(declared: FieldInfo) -> str:
    """What a flag or a number has to be; empty for what says so itself, by its reader."""
    whole = find_part(declared, Whole)
    if whole is not None:
        return f"a whole number from {whole.least:,} to {whole.greatest:,}"
    return "true or false" if bool in parts_of(declared) else ""


def make_model(
    name: str,
    *parts: type[Section],
    fields: Iterable[str] | None = None,
    optional: Collection[str] | None = (),
    renamed: Mapping[str, str] | None = None,
) -> type[Section]:
    """A model of settings that are declared elsewhere.

    :param parts: where; a name that is in several is taken from the first.
    :param fields: those that are taken; None for all.
    :param optional: those that may be left out, and are None then: what they are is decided elsewhere; None for all.
    :param renamed: a declared name → the name here.
    """
    declared: dict[str, FieldInfo] = {}
    for part in parts:
        for key, info in part.model_fields.items():
            declared.setdefault(key, info)
    definitions: dict[str, Any] = {}
    for key in declared if fields is None else fields:
        info = declared[key]
        annotation: Any = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
        default = info.default
        if optional is None or key in optional:
            annotation, default = annotation | None, None
        definition = Field(default, json_schema_extra=setting_of(info))
        definitions[(renamed or {}).get(key, key)] = (annotation, definition)
    return create_model(name, __base__=Section, **definitions)


def override(values: SectionT, given: Section) -> SectionT:
    """A section with what a table gives itself in place of its own."""
    return values.model_copy(update=given.model_dump(exclude_none=True))
