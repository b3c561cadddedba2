"""The pictures of runs (`make pictures`): what is drawn of which panels, and what pages show."""

import json
import re
from itertools import pairwise

from make.pictures import chart, dashboard, scaling
from tests.unit.docs.pages import ROOT

DASHBOARDS = ROOT / "charts/headrace/files/dashboards"


def pipeline_dashboard() -> dict[str, object]:
    content: dict[str, object] = json.loads((DASHBOARDS / "pipeline.json").read_text("utf-8"))
    return content


def test_the_course_of_a_run_is_drawn_from_the_panels_of_the_dashboard() -> None:
    course = scaling.course(pipeline_dashboard(), 120_000)
    legends = [[one["legendFormat"] for one in panel["targets"]] for panel in course["panels"]]
    assert legends == [
        ["{{group}} ready"],
        ["{{group}} wanted", "{{group}} ready", "{{group}} max"],
        ["{{group}} {{cause}}"],
    ]


def test_its_panels_lie_below_each_other_and_are_equally_wide() -> None:
    course = scaling.course(pipeline_dashboard(), 120_000)
    points = [(0.0, 1.0), (9.0, 2.0)]
    picture = dashboard.drawn(course, lambda _: [({"group": "delays"}, points)], (0.0, 9.0))
    panels = re.findall(r'<rect x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)" rx', picture)
    assert len(panels) == len(scaling.PANELS)
    assert len({(left, width) for left, _, width, _ in panels}) == 1
    tops = [int(top) for _, top, _, _ in panels]
    assert all(below - above > int(panels[0][3]) for above, below in pairwise(tops))
    assert "120,000 events" in picture


def test_a_count_is_drawn_as_steps_and_a_measure_as_a_line() -> None:
    counted = [(0.0, 0.0), (1.0, 0.0), (2.0, 3.0), (3.0, 3.0), (4.0, 1.0), (5.0, 1.0)]

    def slopes(unit: str) -> int:
        series = [chart.Series("a", counted)]
        box = chart.Box(0, 0, 400, 200)
        drawn = chart.panel(box, "t", series, (0.0, 5.0), kind="timeseries", unit=unit)
        (line,) = re.findall(r'points="([^"]+)"', drawn)
        points = [point.split(",") for point in line.split()]
        return sum(a[0] != b[0] and a[1] != b[1] for a, b in pairwise(points))

    assert slopes("none") == 0
    assert slopes("short") == 2
