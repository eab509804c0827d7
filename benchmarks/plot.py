"""A bar chart as SVG text: how many times the floor each load took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.measure import ratios

_LEFT, _WIDTH, _BAR, _GAP = 90, 520, 14, 8
_COLOURS = {"disk": "#2f6f9f", "s3": "#d08a2e"}
_NAMES = {"disk": "from disk", "s3": "through the S3 stand-in"}


def draw_ratios(load: Mapping[str, Any]) -> str:
    """Two bars for each table; the line at 1 is the floor."""
    bars = [
        (name, way, ratios(one["samples"], way, "floor").median)
        for name, one in load.items()
        for way in _COLOURS
    ]
    top = max(2.0, *(value for *_, value in bars))
    unit = (_WIDTH - _LEFT - 60) / top
    parts, at = [], 34
    for name, way, value in bars:
        if way == "disk":
            at += _GAP
            parts.append(f'<text x="{_LEFT - 8}" y="{at + _BAR + 4}" text-anchor="end">{name}</text>')
        parts.append(
            f'<rect x="{_LEFT}" y="{at}" width="{value * unit:.1f}" height="{_BAR - 2}" fill="{_COLOURS[way]}"/>'
        )
        parts.append(f'<text x="{_LEFT + value * unit + 5:.1f}" y="{at + _BAR - 4}">{value:.2f}</text>')
        at += _BAR
    line = _LEFT + unit
    legend = "".join(
        f'<rect x="{_LEFT + 190 * place}" y="8" width="10" height="10" fill="{_COLOURS[way]}"/>'
        f'<text x="{_LEFT + 190 * place + 15}" y="17">{_NAMES[way]}</text>'
        for place, way in enumerate(_COLOURS)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{at + 12}" font-family="sans-serif" font-size="11">'
        f'<rect width="100%" height="100%" fill="#fff"/>{legend}{"".join(parts)}'
        f'<line x1="{line:.1f}" y1="30" x2="{line:.1f}" y2="{at + 4}" stroke="#444" stroke-dasharray="3 3"/></svg>\n'
    )
