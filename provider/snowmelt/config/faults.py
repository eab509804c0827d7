"""What secrets look like, wherever they turn up, so that no message shows one.

A fault of the configuration file or of a form: where it is, what was found, what was expected, what to do.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

#: An access key of AWS: AKIA… is lasting, ASIA… temporary.
ACCESS_KEY = re.compile(r"(?<![A-Za-z0-9])(?P<kind>AKIA|ASIA)[A-Z0-9]{12,}")
#: A private key as text.
PEM = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY.*", re.DOTALL)
#: An address that holds a user and a password.
URL_PASSWORD = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^/\s:@]*:[^/\s@]+@")


def hide_secrets(text: str) -> str:
    """The text with everything that looks like a secret replaced by `***`."""
    text = ACCESS_KEY.sub(r"\g<kind>***", text)
    text = PEM.sub("-----BEGIN PRIVATE KEY***", text)
    return URL_PASSWORD.sub(r"\g<scheme>***@", text)


#: A place in a JSON document: keys and positions from the top.
Place = tuple[str | int, ...]

#: Longer values are cut in a message; a fault has to stay readable among many.
SHOWN_CHARACTERS = 80

_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong; its text is a line for a person."""

    #: Where: keys and positions from the top of the document.
    place: Place
    #: What is there.
    found: str
    #: What may be there.
    expected: str
    #: What to do about it; may be empty.
    advice: str = ""

    @property
    def path(self) -> str:
        """The place as text: `sources[0].tables[2].chunk_rows`."""
        return show_place(self.place)

    def __str__(self) -> str:
        where = f"{self.path}: " if self.place else ""
        advice = f" {self.advice}" if self.advice else ""
        return hide_secrets(f"{where}found {self.found}; expected {self.expected}.{advice}")


def show_place(place: Place) -> str:
    """`("sources", 0, "rename", "Visit Id")` → `sources[0].rename["Visit Id"]`."""
    text = ""
    for step in place:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step):
            text += f".{step}" if text else step
        else:
            escaped = step.replace("\\", "\\\\").replace('"', '\\"')
            text += f'["{escaped}"]'
    return text


def show_value(value: object) -> str:
    """A value as JSON would write it, cut to `SHOWN_CHARACTERS`; the kind alone for lists and objects."""
    if isinstance(value, str) and value:
        cut = value if len(value) <= SHOWN_CHARACTERS else value[: SHOWN_CHARACTERS - 1] + "…"
        return '"' + "".join(map(_show_character, cut)) + '"'
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    return str(value) if value != "" else "an empty text"


def _show_character(character: str) -> str:
    """What cannot be seen is written out: a line end or escape sequence in a value must not forge a line of a log."""
    hidden = unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return ascii(character)[1:-1] if hidden else character


def suggest(name: str, known: Iterable[str]) -> str:
    """`Did you mean "chunk_rows"?` for a near miss, else the empty text."""
    names = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.strip().lower(), names, n=1, cutoff=0.7)
    return f'Did you mean "{names[near[0]]}"?' if near else ""
