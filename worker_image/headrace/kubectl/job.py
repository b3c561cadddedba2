"""The Job that runs one `headrace` command beside the workers. Pure.

It is made from what the operator made for the group, so it has the pipeline's own image,
configuration, Secrets, placement and restrictions, and no right that a worker lacks.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from headrace.kubectl.program import Manifest
from headrace_api.names import GROUP_LABEL, JOB_LABEL, PIPELINE_LABEL

JOB = "command"
"""Value of the label headrace.dev/job."""
DEADLINE_SECONDS = 3600
KEPT_SECONDS = 300
"""How long what was left behind stays, such as by a laptop that was closed."""
_NAME_LENGTH = 45
_NOT_FOR_COMMANDS = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "ports")


def command_job(pipeline: str, template: Manifest, words: Sequence[str]) -> Manifest:
    """`template`: a pod template of the operator's, whose first container has Headrace in it.

    `words`: the command without `headrace`. It is tried once.
    """
    name = f"headrace-{pipeline}"[:_NAME_LENGTH].rstrip("-.") + f"-{secrets.token_hex(3)}"
    metadata = template.get("metadata") or {}
    # With the group's label it would be taken for one of its workers.
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k != GROUP_LABEL}
    labels |= {PIPELINE_LABEL: pipeline, JOB_LABEL: JOB}
    pod: dict[str, Any] = {
        **template["spec"],
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 5,
        "containers": [_container(template["spec"]["containers"][0], words)],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": {PIPELINE_LABEL: pipeline, JOB_LABEL: JOB}},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": DEADLINE_SECONDS,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": metadata.get("annotations") or {},
                },
                "spec": pod,
            },
        },
    }


def _container(container: Manifest, words: Sequence[str]) -> Manifest:
    kept = {name: value for name, value in container.items() if name not in _NOT_FOR_COMMANDS}
    return {**kept, "command": ["headrace"], "args": list(words)}
