"""The course of a run: what waited, how many workers there were, and why."""

from typing import Any

TITLE = "One run of the demo: {events:,} events, no worker before and none after"
# Panels of the dashboard of a pipeline, from above, which of their lines, and the title here.
PANELS = {
    "Backlog": ("ready", "Events that wait, by consumer group"),
    "Workers": ("", "Workers"),
    "Why so many": ("", "Why so many"),
}
HEIGHT = 8
"""Rows of Grafana's grid."""


def course(dashboard: dict[str, Any], events: int) -> dict[str, Any]:
    """A dashboard of these panels alone, each as wide as the picture."""
    found = {one["title"]: one for one in dashboard["panels"] if one["type"] != "row"}
    panels = [
        {
            **found[name],
            "title": title,
            "gridPos": {"x": 0, "y": number * HEIGHT, "w": 24, "h": HEIGHT},
            "targets": [
                one for one in found[name]["targets"] if one["legendFormat"].endswith(lines)
            ],
        }
        for number, (name, (lines, title)) in enumerate(PANELS.items())
    ]
    return {"title": TITLE.format(events=events), "panels": panels}
