"""What a fleet of idle pipelines costs: the time until all are Ready, then writes and memory."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from bench.operator.stage import Stage
from tests.support.operator_process import OperatorProcess

WRITES = ("POST", "PUT", "PATCH", "APPLY", "DELETE")


@dataclass(frozen=True)
class Fleet:
    """Seconds; MiB; writes of everybody to the API server in a quiet minute, Leases left out."""

    converged: float
    memory: float
    writes: float
    reconcile_p99: float


def measure(stage: Stage, count: int, quiet: float = 60.0) -> tuple[Fleet, OperatorProcess]:
    """Pipelines first, then a cold operator. It goes on running."""
    namespace = stage.kube.make_namespace("fleet")
    stage.create(namespace, [f"p{number}" for number in range(count)])
    began = time.monotonic()
    operator = stage.start_operator()
    stage.wait_ready(namespace, count, within=600)
    converged = time.monotonic() - began
    settle(stage)
    before = writes(stage)
    time.sleep(quiet)
    after = writes(stage)
    for resource in after.keys() - before.keys():
        before[resource] = 0.0
    made = {name: after[name] - before[name] for name in after if after[name] > before[name]}
    print(f"writes in {quiet:.0f} quiet seconds: {made or 'none'}")
    return (
        Fleet(
            converged=converged,
            memory=memory(operator),
            writes=sum(made.values()) * 60 / quiet,
            reconcile_p99=quantile(operator, "headrace_operator_reconcile_seconds", 0.99),
        ),
        operator,
    )


def settle(stage: Stage, within: float = 180.0) -> None:
    """Until nobody has written for 10 seconds: the controllers have caught up too."""
    deadline = time.monotonic() + within
    last, since = writes(stage), time.monotonic()
    while time.monotonic() - since < 10:
        if time.monotonic() > deadline:
            print("the control plane did not come to rest")
            return
        time.sleep(1)
        if (now := writes(stage)) != last:
            last, since = now, time.monotonic()


def writes(stage: Stage) -> dict[str, float]:
    """Requests by resource that changed something, as the API server counts them."""
    text = stage.kube.text("/metrics")
    found: dict[str, float] = {}
    for labels, value in re.findall(r"^apiserver_request_total\{(.*)\} (\S+)$", text, re.MULTILINE):
        label = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        if label["verb"] in WRITES and label["resource"] != "leases" and label["dry_run"] == "":
            name = f"{label['verb']} {label['resource']}/{label['subresource']}".rstrip("/")
            found[name] = found.get(name, 0.0) + float(value)
    return found


def memory(operator: OperatorProcess) -> float:
    """Resident MiB now."""
    status = Path(f"/proc/{operator.process.pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1024


def quantile(operator: OperatorProcess, histogram: str, share: float) -> float:
    """The upper end of the bucket in which the quantile lies."""
    buckets = sorted(
        (float(labels["le"]), number) for labels, number in operator.samples(f"{histogram}_bucket")
    )
    total = buckets[-1][1]
    return next(le for le, number in buckets if number >= share * total)
