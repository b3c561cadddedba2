"""The operator's own metrics. Names of pipelines are never labels here: see telemetry/."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

import headrace

API_REQUESTS = Counter(
    "headrace_operator_api_requests",
    "Requests to the Kubernetes API server.",
    ("method", "resource", "status"),
)
QUEUE_DEPTH = Gauge("headrace_operator_queue_depth", "Pipelines that wait for a reconciliation.")
QUEUE_WAIT = Histogram(
    "headrace_operator_queue_wait_seconds",
    "Time a pipeline waited after it was due.",
    buckets=(0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60),
)
RECONCILE_SECONDS = Histogram(
    "headrace_operator_reconcile_seconds",
    "Duration of one reconciliation.",
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30),
)
RECONCILES = Counter(
    "headrace_operator_reconciles", "Reconciliations by how they ended.", ("result",)
)
APPLIES = Counter("headrace_operator_applies", "Objects written because they differed.", ("kind",))
CONFLICTS = Counter(
    "headrace_operator_field_conflicts", "Fields that another manager had taken over.", ("manager",)
)
WATCH_EVENTS = Counter("headrace_operator_watch_events", "Events received by kind.", ("kind",))
ROLLOUTS = Gauge(
    "headrace_operator_rollouts",
    "Deployments by their place in a staged update that comes from the operator itself.",
    ("state",),
)
UNWATCHED_NAMESPACES = Gauge(
    "headrace_operator_unwatched_namespaces",
    "1 for a namespace that may not or cannot be watched now (empty name: all namespaces).",
    ("namespace",),
)
LET_GO = Counter(
    "headrace_operator_let_go",
    "Deletions finished without cleaning Redis, by why.",
    ("reason",),
)
BUILD_INFO = Gauge("headrace_operator_build_info", "1, with the version as a label.", ("version",))
BUILD_INFO.labels(headrace.__version__).set(1)
LEADER = Gauge("headrace_operator_leader", "1 while this replica holds the Lease.")
PIPELINES = Gauge("headrace_operator_pipelines", "StreamPipelines that the operator knows.")
