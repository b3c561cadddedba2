"""One panel as SVG: lines over time, states over time, a heat map, or a table."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TypeAlias

INK, FAINT, GRID = "#2b2f36", "#7b828c", "#e6e8eb"
COLOURS = ("#d1342f", "#2f6fd1", "#3b9b6d", "#b8860b", "#7b4fb5", "#0f8b8d", "#c2588f", "#5d6470")
TITLE, LEGEND, LEFT, RIGHT, BOTTOM = 30, 16, 52, 14, 20
"""Pixels that the plot leaves free inside its panel."""
TICKS = 4
MINUTE = 60.0
MINUTES_FROM = 600.0
"""Seconds from which on the axis counts minutes."""
MAX_ROWS = 8
NO_DATA = "No data"
COUNTS = "none"
"""The unit of what is counted, such as workers."""
Span: TypeAlias = tuple[float, float]
"""Unix seconds of the left and right edge."""


@dataclass(frozen=True)
class Series:
    """`points`: (Unix seconds, value), in order of time."""

    label: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Box:
    """Pixels."""

    x: float
    y: float
    width: float
    height: float


def text(x: float, y: float, words: str, *, size: int = 11, fill: str = INK, more: str = "") -> str:
    look = f'font-size="{size}" fill="{fill}" {more}'
    return f'<text x="{x:.1f}" y="{y:.1f}" {look}>{escape(words)}</text>'


def panel(
    box: Box, title: str, found: Sequence[Series], span: Span, *, kind: str, unit: str
) -> str:
    """The whole panel."""
    frame = (
        f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="4" '
        f'fill="#ffffff" stroke="{GRID}"/>'
    )
    parts = [frame, text(box.x + 12, box.y + 19, title, size=12, more='font-weight="600"')]
    inner = Box(
        box.x + LEFT,
        box.y + TITLE,
        box.width - LEFT - RIGHT,
        box.height - TITLE - BOTTOM - LEGEND * _legend_lines(found, box) - 4,
    )
    if not any(series.points for series in found):
        parts.append(text(box.x + box.width / 2, box.y + box.height / 2, NO_DATA, fill=FAINT))
    else:
        parts += _KINDS[kind](inner, unit, found, span)
    return "\n".join(parts)


def _legend_lines(found: Sequence[Series], box: Box) -> int:
    return 1 + max((line for _, line, _ in _legend_places(found, box)), default=-1)


def _legend_places(found: Sequence[Series], box: Box) -> Iterator[tuple[float, int, Series]]:
    """(x from the left edge, line, series), wrapped at the panel's width."""
    x, line = 0.0, 0
    for series in found[: 2 * MAX_ROWS]:
        width = 18 + 6.1 * len(series.label)
        if x and x + width > box.width - 24:
            x, line = 0.0, line + 1
        yield x, line, series
        x += width


def _lines(box: Box, unit: str, found: Sequence[Series], span: Span) -> list[str]:
    top = _nice_top(max(value for series in found for _, value in series.points), unit)
    parts = [*_grid(box, unit, top), *_times(box, span)]
    for number, series in enumerate(found):
        colour = COLOURS[number % len(COLOURS)]
        points = _steps(series.points) if unit == COUNTS else series.points
        path = " ".join(
            f"{_x(box, at, span):.1f},{box.y + box.height * (1 - value / top):.1f}"
            for at, value in points
        )
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6" '
            'stroke-linejoin="round"/>'
        )
    return parts + _legend(box, found)


def _steps(points: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """A number of things jumps. Only the corners."""
    last: float | None = None
    for number, (at, value) in enumerate(points):
        if last is not None and value != last:
            yield at, last
        if value != last or number == len(points) - 1:
            yield at, value
        last = value


def _states(box: Box, unit: str, found: Sequence[Series], span: Span) -> list[str]:
    """A bar for each series, where it is more than 0."""
    parts = _times(box, span)
    height = min(22.0, box.height / len(found))
    for number, series in enumerate(found):
        y = box.y + number * height
        colour = COLOURS[number % len(COLOURS)]
        for begin, end in _stretches(series):
            left = _x(box, begin, span)
            width = max(1.0, _x(box, end, span) - left)
            parts.append(
                f'<rect x="{left:.1f}" y="{y + 2:.1f}" width="{width:.1f}" '
                f'height="{height - 4:.1f}" fill="{colour}"/>'
            )
    return parts + _legend(box, found)


def _stretches(series: Series) -> Iterator[tuple[float, float]]:
    begin = last = None
    for at, value in series.points:
        if value > 0:
            begin, last = (at if begin is None else begin), at
        elif begin is not None and last is not None:
            yield begin, at
            begin = None
    if begin is not None and last is not None:
        yield begin, last


def _heat(box: Box, unit: str, found: Sequence[Series], span: Span) -> list[str]:
    """Buckets from below to above; Prometheus counts each into all larger ones."""
    buckets = sorted(found, key=lambda series: float(series.label))
    counts = [
        {at: value for at, value in series.points if not math.isnan(value)} for series in buckets
    ]
    own = [
        {at: value - (counts[i - 1].get(at, 0.0) if i else 0.0) for at, value in counts[i].items()}
        for i in range(len(buckets))
    ]
    used = [i for i, cells in enumerate(own) if max(cells.values(), default=0) > 0]
    low, high = used[0], used[-1]
    most = max(max(cells.values(), default=0.0) for cells in own)
    height = box.height / (high - low + 1)
    times = [at for at, _ in max((series.points for series in buckets), key=len)]
    width = box.width * (times[1] - times[0]) / (span[1] - span[0]) if len(times) > 1 else box.width
    parts = _times(box, span)
    for row, cells in enumerate(own[low : high + 1]):
        y = box.y + box.height - (row + 1) * height
        label = formatted(float(buckets[low + row].label), unit)
        if row % max(1, round(14 / height)) == 0:
            parts.append(
                text(box.x - 6, y + 9, label, size=9, fill=FAINT, more='text-anchor="end"')
            )
        for at, value in cells.items():
            left = _x(box, at, span)
            wide = min(width, box.x + box.width - left)
            if value > 0 and wide > 0:
                shade = 0.12 + 0.88 * math.sqrt(value / most)
                parts.append(
                    f'<rect x="{left:.1f}" y="{y:.1f}" width="{wide:.1f}" '
                    f'height="{height:.1f}" fill="{COLOURS[0]}" fill-opacity="{shade:.2f}"/>'
                )
    return parts


def _table(box: Box, unit: str, found: Sequence[Series], span: Span) -> list[str]:
    return [
        text(box.x - LEFT + 12, box.y + 16 + 18 * row, series.label)
        for row, series in enumerate(found[:MAX_ROWS])
    ]


_KINDS: dict[str, Callable[[Box, str, Sequence[Series], Span], list[str]]] = {
    "timeseries": _lines,
    "state-timeline": _states,
    "heatmap": _heat,
    "table": _table,
}


def _grid(box: Box, unit: str, top: float) -> list[str]:
    parts = []
    for step in range(TICKS + 1):
        y = box.y + box.height * (1 - step / TICKS)
        ends = f'x1="{box.x}" x2="{box.x + box.width}" y1="{y:.1f}" y2="{y:.1f}"'
        parts.append(f'<line {ends} stroke="{GRID}"/>')
        label = formatted(top * step / TICKS, unit)
        parts.append(text(box.x - 6, y + 3, label, size=9, fill=FAINT, more='text-anchor="end"'))
    return parts


def _times(box: Box, span: Span) -> list[str]:
    """The start, the middle and the end, as the time since the start."""
    seconds = span[1] - span[0]
    unit, name = (1.0, "s") if seconds < MINUTES_FROM else (MINUTE, "min")
    return [
        text(
            box.x + box.width * share,
            box.y + box.height + 14,
            f"{share * seconds / unit:.0f} {name}",
            size=9,
            fill=FAINT,
            more=f'text-anchor="{anchor}"',
        )
        for share, anchor in ((0, "start"), (0.5, "middle"), (1, "end"))
    ]


def _legend(box: Box, found: Sequence[Series]) -> list[str]:
    outer = Box(box.x - LEFT, box.y, box.width + LEFT + RIGHT, box.height)
    parts = []
    for number, (x, line, series) in enumerate(_legend_places(found, outer)):
        at, y = outer.x + 12 + x, box.y + box.height + BOTTOM + 12 + LEGEND * line
        colour = COLOURS[number % len(COLOURS)]
        parts.append(f'<rect x="{at:.1f}" y="{y - 7:.1f}" width="9" height="3" fill="{colour}"/>')
        parts.append(text(at + 13, y, series.label, size=10))
    return parts


def _x(box: Box, at: float, span: Span) -> float:
    return box.x + box.width * (at - span[0]) / (span[1] - span[0])


def _nice_top(value: float, unit: str) -> float:
    """The next of 1, 2, 4, 5, 8, 10 times a power of ten, which a grid of four divides well."""
    if value <= 0:
        return 1.0
    if unit == "s" and value > MINUTE:
        return MINUTE * _nice_top(value / MINUTE, "min")
    power = 10.0 ** math.floor(math.log10(value))
    return next(nice * power for nice in (1, 2, 4, 5, 8, 10) if nice * power >= value)


def formatted(value: float, unit: str) -> str:
    """1500 as 1.5k, a rate with /s; seconds as ms, s or min."""
    if unit == "s" and value:
        for factor, name in ((MINUTE, " min"), (1.0, " s"), (1e-3, " ms")):
            if value >= factor:
                return f"{value / factor:.3g}{name}" if value < math.inf else "more"
        return f"{value * 1e6:g} µs"
    if unit == "bytes":
        return f"{value / 1e6:g} MB"
    per = "/s" if unit == "ops" else ""
    return f"{value / 1000:g}k{per}" if value >= 1000 else f"{value:g}{per}"
