"""Two panels of lines as SVG text, both axes logarithmic: seconds of each step by rows, and by files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.growth import seconds

_WIDTH, _HEIGHT, _LEFT, _TOP, _FOOT, _LEGEND = 380, 300, 48, 30, 34, 96
_COLOURS = {
    "plan": "#7a5195",
    "unload": "#b0b0b0",
    "files": "#3a9d6e",
    "load": "#2f6f9f",
    "verify": "#d08a2e",
    "verify, counts alone": "#d08a2e",
    "index": "#bc5090",
    "publish": "#444444",
}
_NAMES = {"unload": "unload (stand-in)", "verify, counts alone": "verify (counts)", "index": "index build"}
#: Part → the axis, and the steps that are drawn.
_PANELS = {
    "by_rows": ("rows", ("plan", "unload", "load", "verify", "index", "publish")),
    "by_files": ("files", ("plan", "files", "load", "verify, counts alone", "publish")),
}
#: Seconds below which a line stays on the axis.
_LEAST = 0.001


def draw_growth(values: Mapping[str, Any]) -> str:
    """A panel for each of the two parts that was measured."""
    panels = [
        _panel(place * (_WIDTH + _LEGEND), axis, steps, values[part])
        for place, (part, (axis, steps)) in enumerate(
            (part, what) for part, what in _PANELS.items() if values.get(part)
        )
    ]
    width = len(panels) * (_WIDTH + _LEGEND)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_HEIGHT + _TOP + _FOOT}" font-family="sans-serif" '
        f'font-size="11"><rect width="100%" height="100%" fill="#fff"/>{"".join(panels)}</svg>\n'
    )


def _panel(offset: int, axis: str, steps: Sequence[str], runs: Sequence[Mapping[str, Any]]) -> str:
    high_x = max(1.0, *(math.log10(run[axis]) for run in runs))
    low_x = min(high_x - 1, *(math.log10(run[axis]) for run in runs))
    low_y = math.log10(_LEAST)
    high_y = max(1, math.ceil(math.log10(max(seconds(run, step) for run in runs for step in steps))))

    def x(value: float) -> float:
        return offset + _LEFT + (math.log10(value) - low_x) / (high_x - low_x) * (_WIDTH - _LEFT)

    def y(value: float) -> float:
        return _TOP + (high_y - math.log10(max(value, _LEAST))) / (high_y - low_y) * _HEIGHT

    parts = [f'<text x="{offset + _LEFT}" y="16" font-weight="bold">seconds by {axis}</text>']
    for power in range(round(low_y), high_y + 1):
        at = y(10.0**power)
        parts.append(
            f'<line x1="{offset + _LEFT}" x2="{offset + _WIDTH}" y1="{at:.1f}" y2="{at:.1f}" stroke="#ddd"/>'
        )
        parts.append(
            f'<text x="{offset + _LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{10.0**power:g}</text>'
        )
    for run in runs:
        at = x(run[axis])
        parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{_TOP + _HEIGHT}" stroke="#eee"/>')
        parts.append(
            f'<text x="{at:.1f}" y="{_TOP + _HEIGHT + 16}" text-anchor="middle">{run[axis]:,}</text>'
        )
    for place, step in enumerate(steps):
        points = " ".join(f"{x(run[axis]):.1f},{y(seconds(run, step)):.1f}" for run in runs)
        colour, legend = _COLOURS[step], _TOP + 12 + place * 16
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(
            f'<rect x="{offset + _WIDTH + 8}" y="{legend - 8}" width="9" height="9" fill="{colour}"/>'
            f'<text x="{offset + _WIDTH + 21}" y="{legend}">{_NAMES.get(step, step)}</text>'
        )
    return "".join(parts)
