"""Injected faults: rules that a test sets in a running stand-in, each for a number of requests.

A rule is a JSON object: `kind` (what happens; the stand-ins' own), `match` (a regular expression that is searched in
what the request is about), `count` (how often; 0: always), `skip` (how many to let pass first), and what the kind needs.
"""

from __future__ import annotations

import re
import threading
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass
class Rule:
    kind: str
    match: str = ""
    count: int = 1
    skip: int = 0
    #: error: HTTP status, the service's own code, its message, SQLSTATE.
    status: int = 500
    code: str = ""
    message: str = ""
    sqlstate: str = "XX000"
    #: cut, reset: bytes sent before; half: files written before.
    after: int = 0
    #: stall: seconds.
    seconds: float = 0.0
    #: How often it was used.
    hits: int = 0

    def applies(self, kinds: tuple[str, ...], subject: str) -> bool:
        if self.kind not in kinds or not re.search(self.match, subject):
            return False
        if self.skip:
            self.skip -= 1
            return False
        return self.count == 0 or self.hits < self.count


class Faults:
    """The rules of one stand-in; the first that applies is used."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._lock = threading.Lock()

    def set(self, rules: list[dict[str, Any]]) -> None:
        """Replace all rules; an empty list ends all faults. Raises ValueError for what is no rule."""
        known = {field.name for field in fields(Rule)}
        made = []
        for rule in rules:
            if unknown := set(rule) - known:
                raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
            re.compile(rule.get("match", ""))
            made.append(Rule(**rule))
        with self._lock:
            self._rules = made

    def take(self, kinds: tuple[str, ...], subject: str) -> Rule | None:
        with self._lock:
            for rule in self._rules:
                if rule.applies(kinds, subject):
                    rule.hits += 1
                    return rule
        return None

    def list(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(rule) for rule in self._rules]
