"""`status.trim`: how the newest trim went, from what its pod told at its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from headrace_api.names import JOB_LABEL
from headrace_api.trim_report import TrimReport
from headrace_operator.plan.observation import Manifest, Observation

_JOB = "trim"


def last_trim(observation: Observation) -> dict[str, Any] | None:
    """The newest report of the pods that are there; else the one that the status has, as pods of
    Jobs do not stay. None for a pipeline that does not trim."""
    if observation.pipeline.spec.stream.trim is None:
        return None
    known = observation.live_status.get("trim")
    reports = [report for pod in observation.pods for report in _reports(pod)]
    reports += [known] if known else []
    return max(reports, key=lambda report: str(report["completedAt"]), default=None)


def _reports(pod: Manifest) -> Iterator[dict[str, Any]]:
    if (pod["metadata"].get("labels") or {}).get(JOB_LABEL) != _JOB:
        return
    for container in pod.get("status", {}).get("containerStatuses") or ():
        ended = container.get("state", {}).get("terminated") or {}
        try:
            report = TrimReport.model_validate_json(ended.get("message") or "")
        except ValidationError:
            continue  # it failed, or says something of its own
        if "finishedAt" in ended:
            yield {
                "completedAt": ended["finishedAt"],
                **report.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True),
            }
