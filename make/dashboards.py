"""Write the Grafana dashboards of charts/headrace/files/dashboards/ from the panels below.

    python make/dashboards.py            write them
    python make/dashboards.py --check    exit 1 when they are not up to date

A panel is a title, a unit, what it says, and its queries by legend. Rows are two panels wide.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parent.parent / "charts/headrace/files/dashboards"
WIDTH, HEIGHT = 12, 8
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
OF_PIPELINE = 'namespace=~"$namespace",pipeline=~"$pipeline"'
OF_GROUP = f'{OF_PIPELINE},group=~"$group"'


@dataclass(frozen=True)
class Panel:
    title: str
    unit: str
    text: str
    queries: dict[str, str]
    kind: str = "timeseries"


FLEET: dict[str, list[Panel]] = {
    "Now": [
        Panel(
            "Pipelines by readiness",
            "none",
            "How many pipelines are ready, and why the others are not.",
            {
                "{{status}} {{reason}}": 'sum by (status, reason) (headrace_pipeline_condition{type="Ready"})'
            },
        ),
        Panel(
            "Not ready",
            "none",
            "Each pipeline that is not ready, with the reason of its condition.",
            {
                "{{namespace}}/{{pipeline}} {{reason}}": "sum by (namespace, pipeline, reason) "
                '(headrace_pipeline_condition{type="Ready",status="False"})'
            },
            kind="table",
        ),
        Panel(
            "Backlog, the ten largest",
            "short",
            "Events that could be handled now.",
            {
                "{{namespace}}/{{pipeline}} {{group}}": "topk(10, headrace_stream_group_ready)",
            },
        ),
        Panel(
            "Oldest event, the ten oldest",
            "s",
            "How long the oldest event has waited.",
            {
                "{{namespace}}/{{pipeline}} {{group}}": "topk(10, headrace_stream_group_oldest_age_seconds)"
            },
        ),
    ],
    "Workers": [
        Panel(
            "Workers",
            "none",
            "Workers wanted and ready over all pipelines.",
            {
                "wanted": "sum(headrace_scaling_wanted_replicas)",
                "ready": "sum(headrace_scaling_ready_replicas)",
            },
        ),
        Panel(
            "Causes of scaling",
            "none",
            "Which rule sets the number of workers, in how many groups.",
            {"{{cause}}": "sum by (cause) (headrace_scaling_cause)"},
        ),
        Panel(
            "Events handled",
            "ops",
            "Events settled by all workers, by how they ended.",
            {
                "{{outcome}}": "sum by (outcome) (rate(headrace_worker_events_total[$__rate_interval]))"
            },
        ),
        Panel(
            "Dead letters",
            "short",
            "Dead letters that the streams hold, the ten largest.",
            {
                "{{namespace}}/{{pipeline}}": "topk(10, headrace_stream_dead_letters)",
            },
        ),
    ],
    "Operator": [
        Panel(
            "Waiting for the operator",
            "s",
            "How long pipelines waited after they were due.",
            {
                "p50": "histogram_quantile(0.5, sum by (le) (rate(headrace_operator_queue_wait_seconds_bucket[$__rate_interval])))",
                "p99": "histogram_quantile(0.99, sum by (le) (rate(headrace_operator_queue_wait_seconds_bucket[$__rate_interval])))",
            },
        ),
        Panel(
            "Reconciliations",
            "ops",
            "Passes over a pipeline, by how they ended.",
            {
                "{{result}}": "sum by (result) (rate(headrace_operator_reconciles_total[$__rate_interval]))"
            },
        ),
        Panel(
            "Requests to the API server",
            "ops",
            "By method and status.",
            {
                "{{method}} {{status}}": "sum by (method, status) "
                "(rate(headrace_operator_api_requests_total[$__rate_interval]))"
            },
        ),
        Panel(
            "Leader",
            "none",
            "1 for the replica that leads.",
            {"{{pod}}": "max by (pod) (headrace_operator_leader)"},
        ),
    ],
}

PIPELINE: dict[str, list[Panel]] = {
    "Backlog": [
        Panel(
            "Backlog",
            "short",
            "Not delivered, delivered and not settled, waiting for a retry; ready is what scaling follows.",
            {
                "{{group}} lag": f"headrace_stream_group_lag{{{OF_GROUP}}}",
                "{{group}} pending": f"headrace_stream_group_messages_pending{{{OF_GROUP}}}",
                "{{group}} parked": f"headrace_stream_group_messages_parked{{{OF_GROUP}}}",
                "{{group}} ready": f"headrace_stream_group_ready{{{OF_GROUP}}}",
            },
        ),
        Panel(
            "Oldest event",
            "s",
            "Age of the oldest event that is not settled.",
            {"{{group}}": f"headrace_stream_group_oldest_age_seconds{{{OF_GROUP}}}"},
        ),
        Panel(
            "Events in",
            "ops",
            "What producers add to the stream.",
            {
                "added": f"sum(rate(headrace_stream_entries_added_total{{{OF_PIPELINE}}}[$__rate_interval]))"
            },
        ),
        Panel(
            "Events out",
            "ops",
            "What workers settle, by how it ended.",
            {
                "{{group}} {{outcome}}": "sum by (group, outcome) "
                f"(rate(headrace_worker_events_total{{{OF_GROUP}}}[$__rate_interval]))"
            },
        ),
    ],
    "Workers": [
        Panel(
            "Workers",
            "none",
            "Wanted, ready, and the most there may be.",
            {
                "{{group}} wanted": f"headrace_scaling_wanted_replicas{{{OF_GROUP}}}",
                "{{group}} ready": f"headrace_scaling_ready_replicas{{{OF_GROUP}}}",
                "{{group}} max": f"headrace_scaling_max_replicas{{{OF_GROUP}}}",
            },
        ),
        Panel(
            "Why so many",
            "none",
            "The rule that sets the number of workers.",
            {"{{group}} {{cause}}": f"headrace_scaling_cause{{{OF_GROUP}}}"},
            kind="state-timeline",
        ),
        Panel(
            "Arrivals beside what a worker handles",
            "ops",
            "As the scaler measured them.",
            {
                "{{group}} arrive": f"headrace_scaling_arrivals_per_second{{{OF_GROUP}}}",
                "{{group}} per worker": f"headrace_scaling_worker_entries_per_second{{{OF_GROUP}}}",
            },
        ),
        Panel(
            "In flight and held",
            "none",
            "Handlers that run, and entries that workers hold.",
            {
                "{{group}} in flight": f"sum by (group) (headrace_worker_in_flight{{{OF_GROUP}}})",
                "{{group}} held": f"sum by (group) (headrace_worker_held{{{OF_GROUP}}})",
            },
        ),
    ],
    "Handlers": [
        Panel(
            "Handling time",
            "s",
            "Time in handlers, median and the slowest in a hundred.",
            {
                "{{type}} p50": "histogram_quantile(0.5, sum by (le, type) "
                f"(rate(headrace_worker_handling_seconds_bucket{{{OF_GROUP}}}[$__rate_interval])))",
                "{{type}} p99": "histogram_quantile(0.99, sum by (le, type) "
                f"(rate(headrace_worker_handling_seconds_bucket{{{OF_GROUP}}}[$__rate_interval])))",
            },
        ),
        Panel(
            "Handling time, heat map",
            "s",
            "How many events took how long.",
            {
                "{{le}}": "sum by (le) "
                f"(increase(headrace_worker_handling_seconds_bucket{{{OF_GROUP}}}[$__rate_interval]))"
            },
            kind="heatmap",
        ),
        Panel(
            "From the event to its delivery",
            "s",
            "How old events are when they reach a worker.",
            {
                "{{group}} p50": "histogram_quantile(0.5, sum by (le, group) "
                f"(rate(headrace_worker_delivery_seconds_bucket{{{OF_GROUP}}}[$__rate_interval])))",
                "{{group}} p99": "histogram_quantile(0.99, sum by (le, group) "
                f"(rate(headrace_worker_delivery_seconds_bucket{{{OF_GROUP}}}[$__rate_interval])))",
            },
        ),
        Panel(
            "Retries, time-outs, dead letters",
            "ops",
            "What did not go well.",
            {
                "{{group}} retries": "sum by (group) "
                f"(rate(headrace_worker_retries_total{{{OF_GROUP}}}[$__rate_interval]))",
                "{{group}} time-outs": "sum by (group) "
                f"(rate(headrace_worker_timeouts_total{{{OF_GROUP}}}[$__rate_interval]))",
                "{{group}} dead letters": "sum by (group) "
                f"(rate(headrace_worker_dead_letters_total{{{OF_GROUP}}}[$__rate_interval]))",
            },
        ),
    ],
    "Redis": [
        Panel(
            "Entries in the stream",
            "short",
            "Length of the stream, and of its dead letters.",
            {
                "entries": f"headrace_stream_length{{{OF_PIPELINE}}}",
                "dead letters": f"headrace_stream_dead_letters{{{OF_PIPELINE}}}",
            },
        ),
        Panel(
            "Memory of the stream",
            "bytes",
            "By the server's own estimate.",
            {"{{pipeline}}": f"headrace_stream_memory_bytes{{{OF_PIPELINE}}}"},
        ),
        Panel(
            "Memory of its Redis is full in",
            "s",
            "At the rate of the last hour; nothing where it does not grow, or has no maxmemory.",
            {"{{pipeline}}": f"headrace_stream_memory_full_seconds{{{OF_PIPELINE}}}"},
        ),
        Panel(
            "Trouble",
            "ops",
            "Calls that failed, settlements that were refused, leases that were lost.",
            {
                "{{group}} failed calls": "sum by (group) "
                f"(rate(headrace_worker_redis_errors_total{{{OF_GROUP}}}[$__rate_interval]))",
                "{{group}} refused": "sum by (group) "
                f"(rate(headrace_worker_commit_failures_total{{{OF_GROUP}}}[$__rate_interval]))",
                "{{group}} leases lost": "sum by (group) "
                f"(rate(headrace_worker_leases_lost_total{{{OF_GROUP}}}[$__rate_interval]))",
            },
        ),
    ],
}


def variable(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
        "sort": 1,
    }


def panel(one: Panel, number: int, x: int, y: int) -> dict[str, Any]:
    instant = one.kind == "table"
    targets = [
        {
            "refId": chr(ord("A") + index),
            "datasource": SOURCE,
            "expr": query,
            "legendFormat": legend,
            "instant": instant,
            "range": not instant,
            "format": {"table": "table", "heatmap": "heatmap"}.get(one.kind, "time_series"),
        }
        for index, (legend, query) in enumerate(one.queries.items())
    ]
    return {
        "id": number,
        "type": one.kind,
        "title": one.title,
        "description": one.text,
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": one.unit, "min": 0}, "overrides": []},
        "targets": targets,
    }


def dashboard(
    uid: str, title: str, rows: dict[str, list[Panel]], variables: list[dict[str, Any]], link: str
) -> dict[str, Any]:
    panels: list[dict[str, Any]] = []
    y = 0
    for name, row in rows.items():
        position = {"x": 0, "y": y, "w": 2 * WIDTH, "h": 1}
        panels.append({"id": len(panels) + 1, "type": "row", "title": name, "gridPos": position})
        y += 1
        for index, one in enumerate(row):
            panels.append(panel(one, len(panels) + 1, index % 2 * WIDTH, y + index // 2 * HEIGHT))
        y += -(-len(row) // 2) * HEIGHT
    source = {
        "name": "datasource",
        "type": "datasource",
        "query": "prometheus",
        "label": "Prometheus",
    }
    links = [{"title": link, "type": "dashboards", "tags": ["headrace"], "keepTime": True}]
    return {
        "uid": uid,
        "title": title,
        "tags": ["headrace"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "links": links,
        "templating": {"list": [source, *variables]},
        "panels": panels,
    }


DASHBOARDS = {
    "fleet": dashboard("headrace-fleet", "Headrace / Fleet", FLEET, [], "Pipelines"),
    "pipeline": dashboard(
        "headrace-pipeline",
        "Headrace / Pipeline",
        PIPELINE,
        [
            variable("namespace", "label_values(headrace_stream_group_lag_quality, namespace)"),
            variable(
                "pipeline",
                'label_values(headrace_stream_group_lag_quality{namespace=~"$namespace"}, pipeline)',
            ),
            variable(
                "group",
                f"label_values(headrace_stream_group_lag_quality{{{OF_PIPELINE}}}, group)",
            ),
        ],
        "Fleet",
    ),
}


def main(arguments: list[str]) -> int:
    stale = 0
    for name, content in DASHBOARDS.items():
        file, text = TARGET / f"{name}.json", json.dumps(content, indent=1) + "\n"
        if file.exists() and file.read_text("utf-8") == text:
            continue
        if "--check" in arguments:
            print(f"{file.name} is not what make/dashboards.py says: run make chart")
            stale = 1
        else:
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, "utf-8")
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
