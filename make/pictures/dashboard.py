"""A Grafana dashboard as one SVG: its own file, each panel with what Prometheus answers."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from make.pictures.chart import INK, Box, Series, Span, panel, text

COLUMN, ROW, GAP, MARGIN, HEAD = 50, 26, 8, 10, 40
"""Pixels of a column and a row of Grafana's grid of 24 columns, between panels, and around."""
_LABEL = re.compile(r"{{\s*(\w+)\s*}}")

Answer = Callable[[dict[str, Any]], list[tuple[dict[str, str], list[tuple[float, float]]]]]
"""(labels, points) of each series that a target of the dashboard finds."""


def drawn(dashboard: dict[str, Any], answer: Answer, span: Span) -> str:
    """The picture."""
    panels = dashboard["panels"]
    bottom = max(one["gridPos"]["y"] + one["gridPos"]["h"] for one in panels)
    width, height = 24 * COLUMN + 2 * MARGIN, bottom * ROW + HEAD + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="system-ui, -apple-system, Segoe UI, Roboto, sans-serif">',
        f'<rect width="{width}" height="{height}" fill="#f4f5f7"/>',
        text(MARGIN + 4, 26, dashboard["title"], size=17, more='font-weight="600"'),
    ]
    for one in panels:
        box = _box(one["gridPos"])
        if one["type"] == "row":
            parts.append(text(box.x + 4, box.y + 18, one["title"], size=13, fill=INK))
        else:
            unit = one["fieldConfig"]["defaults"]["unit"]
            found = list(found_by(one, answer))
            parts.append(panel(box, one["title"], found, span, kind=one["type"], unit=unit))
    return "\n".join([*parts, "</svg>", ""])


def found_by(one: dict[str, Any], answer: Answer) -> Iterator[Series]:
    """Every series of a panel, with its legend filled in."""
    for target in one.get("targets", ()):
        for labels, points in answer(target):
            yield Series(_filled(target["legendFormat"], labels), points)


def _filled(legend: str, labels: dict[str, str]) -> str:
    return _LABEL.sub(lambda name: labels.get(name[1], ""), legend).strip()


def _box(grid: dict[str, int]) -> Box:
    return Box(
        MARGIN + grid["x"] * COLUMN,
        HEAD + grid["y"] * ROW,
        grid["w"] * COLUMN - (GAP if grid["x"] + grid["w"] < 24 else 0),
        grid["h"] * ROW - GAP,
    )
