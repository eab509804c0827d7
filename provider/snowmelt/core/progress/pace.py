"""The pace of something that copies rows: how many, how fast lately, and how long still."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from snowmelt.core.progress.shown import show_bytes, show_count, show_percent, show_rate, show_seconds

#: The rate is that of the last half minute: a slow start or a long pause is forgotten by then.
WINDOW_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Mark:
    """Where it stood at one moment."""

    seconds: float
    rows: int
    bytes: int


class Pace:
    """Marks in, words out.

    :param total_rows: rows that are to be copied; None where nobody knows.
    :param done_rows: rows that were there before; they count as done, not towards the rate.
    """

    def __init__(
        self, total_rows: int | None = None, *, done_rows: int = 0, window: float = WINDOW_SECONDS
    ) -> None:
        self.total_rows = total_rows
        self.done_rows = done_rows
        self._window = window
        self._marks: deque[Mark] = deque([Mark(0.0, 0, 0)])

    def mark(self, *, seconds: float, rows: int, size: int) -> None:
        """Note that so many rows and bytes were copied so many seconds after the start."""
        self._marks.append(Mark(seconds, rows, size))
        # One mark at or before the window's start stays: the rate is taken over the whole window.
        while len(self._marks) > 2 and self._marks[1].seconds <= seconds - self._window:  # noqa: PLR2004 - the ends
            self._marks.popleft()

    @property
    def rows(self) -> int:
        """Rows copied, those that were there before included."""
        return self.done_rows + self._marks[-1].rows

    @property
    def rate(self) -> float:
        """Rows in a second, lately."""
        return self._per_second(self._marks[-1].rows - self._marks[0].rows)

    @property
    def bytes_rate(self) -> float:
        """Bytes in a second, lately."""
        return self._per_second(self._marks[-1].bytes - self._marks[0].bytes)

    @property
    def seconds_left(self) -> float | None:
        """Until all rows are copied, at the pace of late; None when that cannot be told."""
        if self.total_rows is None or not self.rate:
            return None
        return max(0, self.total_rows - self.rows) / self.rate

    def line(self) -> str:
        """For a log: rows, bytes, rate, what is left."""
        parts = [f"{show_count(self.rows)} rows"]
        if self.total_rows is not None:
            share = self.rows / self.total_rows if self.total_rows else 1.0
            parts = [f"{show_count(self.rows)} of {show_count(self.total_rows)} rows ({show_percent(share)})"]
        parts.append(show_bytes(self._marks[-1].bytes))
        if self.rate or self.bytes_rate:
            parts.append(f"{show_rate(self.rate)}, {self.bytes_rate / 1e6:.1f} MB/s")
        if self.seconds_left is not None:
            parts.append(f"{show_seconds(self.seconds_left)} left")
        return ", ".join(parts)

    def _per_second(self, amount: int) -> float:
        seconds = self._marks[-1].seconds - self._marks[0].seconds
        return amount / seconds if seconds > 0 else 0.0
