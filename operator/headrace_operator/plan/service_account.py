"""The ServiceAccount that every pod of a pipeline runs under: no token, no rights."""

from __future__ import annotations

from typing import Any

from headrace_api import names
from headrace_api.v1alpha1 import StreamPipeline
from headrace_operator.plan import ownership
from headrace_operator.plan.actions import PlanSettings


def service_account(pipeline: StreamPipeline, settings: PlanSettings) -> dict[str, Any]:
    name = names.service_account_name(pipeline.name)
    labels = names.common_labels(pipeline.name)
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": ownership.metadata(pipeline, settings, name, labels),
        "automountServiceAccountToken": False,
    }
