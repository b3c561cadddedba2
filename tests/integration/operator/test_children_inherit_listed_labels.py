"""A label of the pipeline that the installation lists reaches its children, and leaves with it."""

from __future__ import annotations

from typing import Any

import redis
from tests.integration.operator.conftest import StartOperator
from tests.support.kube import Kube
from tests.support.waiting import until

from headrace_operator.kube.kinds import CRON_JOB, DEPLOYMENT, SERVICE_ACCOUNT, STREAM_PIPELINE

DEFAULTS = '{"inheritedLabels": ["team"], "podLabels": {"pool": "streams"}}'


def test_a_label_comes_changes_and_goes(
    kube: Kube, start_operator: StartOperator, namespace: str, data: redis.Redis, make: Any
) -> None:
    start_operator(f"--worker-defaults={DEFAULTS}")
    make()

    def teams() -> set[str | None]:
        """What the children and the workers' pods have."""
        workers = kube.list(DEPLOYMENT, namespace)[0]
        account = kube.get(SERVICE_ACCOUNT, namespace, "flights-headrace")
        assert account
        pods = workers["spec"]["template"]
        assert pods["metadata"]["labels"]["pool"] == "streams"
        ours = (workers, account, pods, *kube.list(CRON_JOB, namespace))
        return {one["metadata"]["labels"].get("team") for one in ours}

    until("none has it", lambda: teams() == {None})
    for value in ("airport", "harbour", None):
        kube.patch(STREAM_PIPELINE, namespace, "flights", {"metadata": {"labels": {"team": value}}})
        until(f"all have {value}", lambda value=value: teams() == {value}, within=30)
