"""What the Jobs of the CronJobs tell: whether one still runs, and how it ended."""

from __future__ import annotations

from headrace_operator.plan.observation import Manifest


def is_finished(job: Manifest) -> bool:
    return _ended(job, "Complete") is not None or _ended(job, "Failed") is not None


def _ended(job: Manifest, kind: str) -> Manifest | None:
    for condition in job.get("status", {}).get("conditions") or ():
        if condition["type"] == kind and condition["status"] == "True":
            return condition  # type: ignore[no-any-return]
    return None
