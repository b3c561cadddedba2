"""What `status` shows, as lines of text. Pure: objects as kubectl gets them in, lines out."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime

from headrace.cli.output import duration, plural, size, table
from headrace.kubectl.program import Manifest
from headrace.kubectl.rates import Rates

COLUMNS = ("GROUP", "WORKERS", "LAG", "PENDING", "PARKED", "OLDEST")
NUMBERS = "LAG PENDING PARKED OLDEST"
FLEET_COLUMNS = ("NAMESPACE", "NAME", "READY", "WORKERS", "LAG", "PENDING", "DEAD", "REASON")
FLEET_NUMBERS = "LAG PENDING DEAD"
TOP_COLUMNS = ("NAMESPACE", "NAME", "WORKERS", "LAG", "PENDING", "IN/S", "DONE/S", "REASON")
TOP_NUMBERS = "LAG PENDING IN/S DONE/S"
UNKNOWN = "?"
MAX_EVENTS = 3
MAX_PODS = 5
WRAPPED = 78
# These are told by Ready, or are good while they are True.
_TOLD = {"Ready", "Reconciling", "Stalled"}
_GOOD = {"ScalingActive", "BacklogKnown"}
_WANTED = {"Suspended", "Fixed", "External"}
"""Reasons that the spec asks for: no automatic scaling is no trouble then."""


def one_pipeline(
    pipeline: Manifest, pods: Sequence[Manifest], events: Sequence[Manifest], now: float
) -> Iterator[str]:
    """From the verdict to the details. `now`: Unix seconds."""
    yield from _verdict(pipeline)
    yield from _stream(pipeline)
    yield from _groups(pipeline)
    yield from _conditions(pipeline, now)
    yield from _pods(pods)
    yield from _events(events, now)


def fleet(pipelines: Sequence[Manifest], width: int | None) -> Iterator[str]:
    """A line for each pipeline; those that are not ready first."""
    ordered = sorted(pipelines, key=lambda one: condition(one, "Ready").get("status") == "True")
    rows = [
        [
            *_named(one),
            condition(one, "Ready").get("status", "Unknown"),
            *_figures(one),
            _reason(one),
        ]
        for one in ordered
    ]
    yield from _table_or_nothing(FLEET_COLUMNS, rows, FLEET_NUMBERS, width)


def fleet_rates(pipelines: Sequence[Manifest], rates: Rates, width: int | None) -> Iterator[str]:
    """A line for each pipeline; those with the largest backlog first."""
    ordered = sorted(pipelines, key=lambda one: -_status(one).get("lag", 0))
    rows = [
        [*_named(one), *_figures(one)[:3], *_rates(one, rates), _reason(one)] for one in ordered
    ]
    yield from _table_or_nothing(TOP_COLUMNS, rows, TOP_NUMBERS, width)


def condition(pipeline: Manifest, kind: str) -> Manifest:
    """Empty while it is absent."""
    found = _status(pipeline).get("conditions") or ()
    return next((one for one in found if one["type"] == kind), {})


def _status(pipeline: Manifest) -> Manifest:
    status: Manifest = pipeline.get("status") or {}
    return status


def _verdict(pipeline: Manifest) -> Iterator[str]:
    metadata, ready = pipeline["metadata"], condition(pipeline, "Ready")
    named = f"{metadata['name']} in {metadata['namespace']}"
    if not ready:
        yield f"{named}: the operator has not looked at it yet. Does one run, for this namespace?"
        return
    word = "ready" if ready["status"] == "True" else "not ready"
    yield f"{named}: {word}, {ready['reason']}"
    if ready.get("message"):
        yield from _wrapped(ready["message"])
    if _status(pipeline).get("observedGeneration", -1) < metadata.get("generation", 0):
        yield "  The operator has not acted on the newest spec yet; what follows is older."


def _stream(pipeline: Manifest) -> Iterator[str]:
    name = pipeline["spec"]["stream"]["name"]
    parts = [f"stream {name} at {_endpoint(pipeline)}"]
    stream = _status(pipeline).get("stream") or {}
    if "length" in stream:
        parts.append(plural(stream["length"], "entry"))
    if "bytes" in stream:
        parts.append(size(stream["bytes"]))
    if "deadLetters" in _status(pipeline):
        parts.append(plural(_status(pipeline)["deadLetters"], "dead letter"))
    yield ", ".join(parts)
    if "memoryFullIn" in stream:
        yield f"  At the rate of the last hour, Redis's memory is full in {stream['memoryFullIn']}."


def _endpoint(pipeline: Manifest) -> str:
    """Where Redis is, or who says it as long as the operator has not looked."""
    if known := _status(pipeline).get("endpoint"):
        return str(known)
    redis = pipeline["spec"]["redis"]
    if ref := redis.get("connectionRef"):
        return f"RedisConnection {ref['name']}"
    if "urlKey" in (secret := redis.get("credentialsSecretRef") or {}):
        return f"the URL in Secret {secret['name']}"
    return str(redis["endpoints"][0])


def _groups(pipeline: Manifest) -> Iterator[str]:
    rows = [
        [
            group["name"],
            f"{group.get('readyReplicas', 0)}/{group.get('desiredReplicas', UNKNOWN)}",
            _number(group, "lag"),
            _number(group, "pending"),
            _number(group, "parked"),
            duration(group["oldestAgeSeconds"]) if "oldestAgeSeconds" in group else "",
        ]
        for group in _status(pipeline).get("groups") or ()
    ]
    if rows:
        yield from table(COLUMNS, rows, right=NUMBERS, width=None)


def _conditions(pipeline: Manifest, now: float) -> Iterator[str]:
    """Those that are not as they should be."""
    for one in _status(pipeline).get("conditions") or ():
        kind, is_true = one["type"], one["status"] == "True"
        if kind in _TOLD or is_true is (kind in _GOOD) or one["reason"] in _WANTED:
            continue
        since = duration(max(now - _seconds(one["lastTransitionTime"]), 0))
        yield f"{kind} is {one['status']} for {since}: {one['reason']}"
        yield from _wrapped(one.get("message", ""))


def _pods(pods: Sequence[Manifest]) -> Iterator[str]:
    troubled = [(pod, words) for pod in pods if (words := pod_trouble(pod))]
    for pod, words in troubled[:MAX_PODS]:
        yield f"pod {pod['metadata']['name']}: {words}"
    if len(troubled) > MAX_PODS:
        yield f"and {plural(len(troubled) - MAX_PODS, 'more pod')} like these"


def pod_trouble(pod: Manifest) -> str:
    """Why the pod does not work; empty when it does, or only begins."""
    status = pod.get("status") or {}
    for one in status.get("containerStatuses") or ():
        waiting = (one.get("state") or {}).get("waiting") or {}
        ended = (one.get("lastState") or {}).get("terminated") or {}
        if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            restarts = one.get("restartCount", 0)
            parts = [waiting["reason"], plural(restarts, "restart") if restarts else ""]
            if ended:
                parts.append(f"last end {ended.get('reason')} with {ended.get('exitCode')}")
            return ", ".join(filter(None, parts))
    for one in status.get("conditions") or ():
        if one["type"] == "PodScheduled" and one["status"] == "False":
            return f"{one.get('reason', 'Unschedulable')}, {one.get('message', '')}"
    return ""


def _events(events: Sequence[Manifest], now: float) -> Iterator[str]:
    for event in sorted(events, key=_event_time)[-MAX_EVENTS:]:
        ago = duration(max(now - _event_time(event), 0))
        text = f"{ago} ago, {event['reason']}: {event['message']}"
        yield textwrap.shorten(text, WRAPPED, placeholder=" ...")


def _event_time(event: Manifest) -> float:
    newest = event.get("lastTimestamp") or event.get("eventTime")
    return _seconds(newest or event["metadata"]["creationTimestamp"])


def _table_or_nothing(
    columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: str, width: int | None
) -> Iterator[str]:
    if not rows:
        yield "there is no StreamPipeline"
        return
    yield from table(columns, rows, right=numbers, width=width)


def _named(pipeline: Manifest) -> tuple[str, str]:
    return pipeline["metadata"]["namespace"], pipeline["metadata"]["name"]


def _figures(pipeline: Manifest) -> list[str]:
    """Workers, lag, pending, dead letters."""
    status = _status(pipeline)
    numbers = (_number(status, name) for name in ("lag", "pending", "deadLetters"))
    return [status.get("workers", UNKNOWN), *numbers]


def _rates(pipeline: Manifest, rates: Rates) -> tuple[str, str]:
    known = rates.of(pipeline)
    return (UNKNOWN, UNKNOWN) if known is None else (f"{known[0]:,.0f}", f"{known[1]:,.0f}")


def _reason(pipeline: Manifest) -> str:
    return str(condition(pipeline, "Ready").get("reason", "no status yet"))


def _number(facts: Manifest, name: str) -> str:
    """What is not known is never shown as 0."""
    return f"{facts[name]:,}" if name in facts else UNKNOWN


def _wrapped(message: str) -> Iterator[str]:
    yield from textwrap.wrap(message, WRAPPED, initial_indent="  ", subsequent_indent="  ")


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()
