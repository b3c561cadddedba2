"""What the Jobs of the CronJobs tell: whether one still runs, and how the newest went."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from headrace_api.names import JOB_LABEL
from headrace_api.v1alpha1 import Reason
from headrace_operator.plan.observation import Manifest

# A Job without a pod after this long gets none: a quota, an admission policy.
START_DEADLINE_SECONDS = 120


def is_finished(job: Manifest) -> bool:
    return _ended(job, "Complete") is not None or _ended(job, "Failed") is not None


def trouble(jobs: Iterable[Manifest], kind: str, now: float) -> tuple[Reason, str] | None:
    """Why the newest Job of this kind (`trim`, `reclaim`) failed or cannot begin; None: it went
    well, or goes on.
    """
    ours = [job for job in jobs if (job["metadata"].get("labels") or {}).get(JOB_LABEL) == kind]
    newest = max(ours, key=lambda job: str(job["metadata"]["creationTimestamp"]), default=None)
    if newest is None:
        return None
    name = newest["metadata"]["name"]
    if (failed := _ended(newest, "Failed")) is not None:
        end = f"{failed.get('reason', 'unknown')}, {failed.get('message', '')}".rstrip(" ,.")
        return Reason.JOB_FAILED, f"Job {name} failed ({end}): see kubectl logs job/{name}"
    created = datetime.fromisoformat(newest["metadata"]["creationTimestamp"]).timestamp()
    status = newest.get("status", {})
    if is_finished(newest) or status.get("active", 0) or now - created < START_DEADLINE_SECONDS:
        return None
    message = f"Job {name} gets no pod: see kubectl describe job {name}"
    return Reason.JOB_NOT_STARTED, message


def _ended(job: Manifest, kind: str) -> Manifest | None:
    for condition in job.get("status", {}).get("conditions") or ():
        if condition["type"] == kind and condition["status"] == "True":
            return condition  # type: ignore[no-any-return]
    return None
