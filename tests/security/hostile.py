"""Texts that want out of their quotes. Each holds PWNED, so that it is found again wherever it surfaces."""

from __future__ import annotations

MARK = "PWNED"

NAMES = (
    "PWNED'",
    'PWNED"',
    'PWNED"; DROP TABLE victim; --',
    "PWNED'); DROP TABLE victim; --",
    "PWNED -- x",
    "PWNED/* x",
    "*/PWNED",
    "PWNED$$x$$",
    "$PWNED$x$PWNED$",
    "PWNED\\",
    "PWNED\\'; DROP TABLE victim; --",
    "PWNED/../../../etc",
    "PWNED{{ 7 * 7 }}{% raw %}",
    "PWNED%s %(x)s %% {0} {x}",
    "PWNED$1 :x ? ?::int",
    "PWNED＇；－－ʼ",
    "PWNED\u202e\u200b\u00a0",
    "PWNED\t@stage",
    "E'PWNED\\''",
    "PWNED.a.b",
)

VALUES = (*NAMES, "PWNED\n; DROP TABLE victim;\n", "PWNED\r\n\\.\r\n", "\\N PWNED", "PWNED" + "x" * 10_000)


def quote(name: str) -> str:
    """As a person types it into a form or the configuration: to the letter."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
