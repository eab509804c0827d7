"""The tables of docs/publishing.md, made from the strategies: `python -m snowmelt.publish.documentation docs/publishing.md`."""

from __future__ import annotations

import sys
from pathlib import Path

from snowmelt.publish.advice import ANY_METHOD, Advice
from snowmelt.publish.strategies import STRATEGIES, Strategy
from snowmelt.vocabulary import Deletes

_BEGIN, _END = "<!-- {} -->\n", "<!-- end -->"


def build_methods_table() -> str:
    """One row for each method."""
    lines = [
        "| method | chosen by | what it does | lock on the target | who waits | rights on an existing target | needs |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {strategy.method} | {strategy.chosen_by} | {strategy.title} | {strategy.lock} | {strategy.waits} | {_rights(strategy)} "
        f"| {'; '.join(strategy.needs) or 'nothing'} |"
        for strategy in STRATEGIES.values()
    ]
    return "\n".join(lines) + "\n"


def build_obstacles_table() -> str:
    """One row for each obstacle, with the methods that it stops."""
    stopped: dict[tuple[str, str], list[str]] = {}
    for advice in ANY_METHOD.values():
        stopped[_texts(advice)] = ["all"]
    for strategy in STRATEGIES.values():
        for advice in strategy.stopped_by.values():
            stopped.setdefault(_texts(advice), []).append(strategy.method.value)
    lines = ["| what | stops | what to do |", "| --- | --- | --- |"]
    lines += [f"| {what} | {', '.join(methods)} | {remedy} |" for (what, remedy), methods in stopped.items()]
    return "\n".join(lines) + "\n"


def fill_page(text: str) -> str:
    """The page with its tables as the registry has them now.

    :raises ValueError: a marker is missing.
    """
    for name, table in (
        ("publish methods", build_methods_table()),
        ("publish obstacles", build_obstacles_table()),
    ):
        begin = _BEGIN.format(name)
        start = text.index(begin) + len(begin)
        text = text[:start] + table + text[text.index(_END, start) :]
    return text


def _rights(strategy: Strategy) -> str:
    if strategy.owner:
        return "to own it"
    rights = ", ".join(strategy.rights().table)
    extra = set(strategy.rights(deletes=Deletes.HARD).table) - set(strategy.rights().table)
    return f"{rights}; with deletes = hard also {', '.join(sorted(extra))}" if extra else rights


def _texts(advice: Advice) -> tuple[str, str]:
    others = [f"set {STRATEGIES[way].chosen_by}" for way in advice.instead]
    return advice.what.format(advice.example), "; or ".join([advice.remedy.format("…"), *others])


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(fill_page(page.read_text(encoding="utf-8")), encoding="utf-8")
