"""Backlog and replicas over time as an SVG: no library, so that the docs build anywhere."""

from collections.abc import Mapping, Sequence

from bench.scaling.traces import Trace
from bench.scaling.world import Run

WIDTH, HEIGHT, LEFT, GAP = 720, 150, 60, 40
COLOURS = {"Headrace": "#c0392b", "KEDA + HPA": "#2980b9", "Numaflow": "#7f8c8d"}
POINTS = 240


def plot(trace: Trace, runs: Mapping[str, Run]) -> str:
    """Two panels above each other: entries waiting, pods."""
    panels = [
        _panel("entries waiting", {n: r.backlog for n, r in runs.items()}, 30),
        _panel("pods", {n: r.replicas for n, r in runs.items()}, 30 + HEIGHT + GAP),
    ]
    legend = "".join(
        f'<rect x="{LEFT + 200 + 130 * n}" y="8" width="12" height="4" fill="{COLOURS[name]}"/>'
        f'<text x="{LEFT + 218 + 130 * n}" y="14">{name}</text>'
        for n, name in enumerate(runs)
    )
    height = 2 * (HEIGHT + GAP) + 40
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 20} {height}"'
        ' font-family="sans-serif" font-size="11">'
        f'<rect width="100%" height="100%" fill="white"/><text x="{LEFT}" y="14"'
        f' font-weight="bold">{trace.name}</text>{legend}{"".join(panels)}'
        f'<text x="{LEFT + WIDTH - 60}" y="{height - 12}">{trace.seconds // 60} minutes</text>'
        "</svg>\n"
    )


def _panel(title: str, series: Mapping[str, Sequence[int]], top: int) -> str:
    highest = max(max(values) for values in series.values()) or 1
    lines = "".join(_line(values, highest, top, COLOURS[n]) for n, values in series.items())
    return (
        f'<path d="M{LEFT} {top}V{top + HEIGHT}H{LEFT + WIDTH}" fill="none" stroke="#999"/>'
        f'<text x="{LEFT - 4}" y="{top + 10}" text-anchor="end">{highest:,}</text>'
        f'<text x="{LEFT - 4}" y="{top + HEIGHT}" text-anchor="end">0</text>'
        f'<text x="{LEFT + 6}" y="{top + 10}" fill="#555">{title}</text>{lines}'
    )


def _line(values: Sequence[int], highest: int, top: int, colour: str) -> str:
    """The highest value of each stretch, so that no peak is lost in the thinning."""
    stretch = max(len(values) // POINTS, 1)
    peaks = [max(values[n : n + stretch]) for n in range(0, len(values), stretch)]
    points = " ".join(
        f"{LEFT + WIDTH * n / len(peaks):.1f},{top + HEIGHT - HEIGHT * value / highest:.1f}"
        for n, value in enumerate(peaks)
    )
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.3"/>'
