"""The rights of an install are what the operator uses: none is missing, and none is left over.

Compared with the API server's audit log of one story that does everything.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import redis
from tests.cluster import existing
from tests.integration.operator.conftest import CALM_LEASE
from tests.integration.operator.test_events import Speaker
from tests.support.access import (
    account,
    grant,
    grant_everywhere,
    installed_rules,
    withdraw_everywhere,
)
from tests.support.control_plane import ControlPlane
from tests.support.kube import Kube, condition
from tests.support.operator_process import OperatorProcess
from tests.support.pipelines import LEAP_DAY, group
from tests.support.waiting import until

from headrace_operator.kube.api_server import ApiServer, connect
from headrace_operator.kube.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    POD,
    REDIS_CONNECTION,
    REPLICA_SET,
    SECRET,
    STREAM_PIPELINE,
)
from headrace_operator.reconcile.event_recorder import COUNT_AGAIN_SECONDS

FIXED = {"mode": "Fixed", "replicas": 2}
TRIM = {"name": "flights", "trim": {"maxLength": 10, "schedule": LEAP_DAY}}


class Right(NamedTuple):
    resource: str
    verb: str


NOT_IN_THE_LOG = {
    # Admission asks for it when an ownerReference with blockOwnerDeletion is written.
    Right("headrace.dev/streampipelines/finalizers", "update"),
}


def granted() -> set[Right]:
    return {
        Right("/".join(filter(None, (group, resource))), verb)
        for kind in ("ClusterRole", "Role")
        for rule in installed_rules(kind)
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


class Audit:
    """What one account asked for."""

    def __init__(self, log: Path, namespace: str) -> None:
        self._log = log
        self._user = f"system:serviceaccount:{namespace}:operator"

    def _asked(self) -> Iterator[tuple[list[Right], dict[str, Any]]]:
        for line in self._log.read_text().splitlines():
            entry = json.loads(line)
            about = entry.get("objectRef")
            if entry["user"]["username"] != self._user or about is None:
                continue
            parts = (about.get("apiGroup"), about["resource"], about.get("subresource"))
            resource = "/".join(filter(None, parts))
            asked = [Right(resource, entry["verb"])]
            if entry["verb"] == "patch" and entry.get("responseStatus", {}).get("code") == 201:
                asked.append(Right(resource, "create"))  # server-side apply of what was not there
            yield asked, entry

    def used(self) -> set[Right]:
        return {right for asked, _ in self._asked() for right in asked}

    def refused(self) -> list[str]:
        return [
            f"{entry['verb']} {entry['requestURI']}"
            for _, entry in self._asked()
            if entry.get("responseStatus", {}).get("code") == 403
        ]


class Installed:
    """The operator with the rights of an install, in a namespace of its own."""

    def __init__(self, kube: Kube, plane: ControlPlane, directory: Path) -> None:
        self._kube = kube
        self.namespace = kube.make_namespace("system")
        self.kubeconfig = account(kube, self.namespace, directory)
        grant_everywhere(kube, installed_rules("ClusterRole"), to=self.namespace)
        grant(kube, self.namespace, installed_rules("Role"), to=self.namespace)
        self.audit = Audit(plane.audit_log, self.namespace)
        self.process = OperatorProcess(
            self.kubeconfig,
            directory / "operator.log",
            f"--lease-namespace={self.namespace}",
            "--full-look=2",
            *CALM_LEASE,
            lease="headrace",
        )

    def end(self) -> None:
        self.process.stop()
        withdraw_everywhere(self._kube, self.namespace)
        self._kube.delete_namespace(self.namespace)


@pytest.fixture
def installed(
    kube: Kube, control_plane: ControlPlane, data: redis.Redis, tmp_path: Path
) -> Iterator[Installed]:
    if existing.kubeconfig():
        pytest.skip("a cluster of one's own (never in CI) keeps no audit log that we can read")
    made = Installed(kube, control_plane, tmp_path)
    try:
        made.process.wait_ready()
        yield made
    finally:
        made.end()


class Story:
    """One pipeline, and what becomes of it."""

    def __init__(self, kube: Kube, namespace: str, make: Any) -> None:
        self._kube, self._namespace, self._make = kube, namespace, make

    def apply(self, **spec: Any) -> None:
        generation = self._make(deletionPolicy="Delete", **spec)["metadata"]["generation"]

        def observed() -> bool:
            live = self._kube.get(STREAM_PIPELINE, self._namespace, "flights")
            assert live
            return bool(live["status"]["observedGeneration"] >= generation)

        until("the spec is carried out", observed)

    def names(self, kind: Any) -> set[str]:
        return {one["metadata"]["name"] for one in self._kube.list(kind, self._namespace)}

    def replicas(self, deployment: str) -> int:
        live = self._kube.get(DEPLOYMENT, self._namespace, deployment)
        assert live
        return int(live["spec"]["replicas"])

    def wait_pods(self, count: int) -> None:
        """How fast they come and go is the controller manager's, which other tests keep busy."""

        def are_there() -> bool:
            found = self.names(POD)
            assert len(found) == count, found
            return True

        until(f"{count} pods", are_there, within=90)

    def wait_one_deployment(self) -> None:
        """Its pods end first, and the machine decides how soon."""

        def is_alone() -> bool:
            kinds = (DEPLOYMENT, REPLICA_SET, POD)
            found = [one for kind in kinds for one in self._kube.list(kind, self._namespace)]
            assert len(self.names(DEPLOYMENT)) == 1, json.dumps(found)
            return True

        until("one Deployment is left", is_alone, within=90)

    def is_claimed(self) -> bool:
        found = condition(self._kube.get(STREAM_PIPELINE, self._namespace, "flights"), "Ready")
        return found is not None and found["reason"] != "GroupConflict"


async def test_every_right_is_used_and_none_is_missing(
    installed: Installed, kube: Kube, namespace: str, make: Any, data: redis.Redis
) -> None:
    for kind, name in ((SECRET, "token"), (CONFIG_MAP, "code")):
        metadata = {"name": name, "namespace": namespace}
        kube.create({"apiVersion": "v1", "kind": kind.kind, "metadata": metadata})
    connection = {"kind": REDIS_CONNECTION.kind, "apiVersion": REDIS_CONNECTION.api_version}
    shared = {"name": "shared", "namespace": namespace}
    kube.create({**connection, "metadata": shared, "spec": {"endpoints": ["127.0.0.1:1"]}})
    story = Story(kube, namespace, make)
    code, token = {"name": "code"}, {"secretRef": {"name": "token"}}
    worker = {"handler": "handlers:app", "codeConfigMapRef": code, "envFrom": [token]}
    audit = group("audit", scaling=FIXED, worker=worker)
    story.apply(groups=[audit, group("delays", scaling=FIXED)], stream=TRIM)
    story.wait_pods(4)

    # Scaling in marks pods; a group that leaves takes its Deployment and its configuration along.
    story.apply(groups=[audit, group("delays", scaling={**FIXED, "replicas": 1})], stream=TRIM)
    until("the Deployment is smaller", lambda: story.replicas("flights-delays") == 1)
    story.apply(groups=[audit])
    story.wait_one_deployment()

    # The claim of a pipeline that is gone: whether it is gone is asked of the API server.
    state = "headrace:{flights}:state:audit:flights"
    data.hset(state, "owner", f"{namespace}/renamed/4d0b4b1e-0000-4000-8000-000000000000")
    until("it is taken over", lambda: f"{namespace}/flights/" in (data.hget(state, "owner") or ""))
    until("it says so", story.is_claimed)

    kube.delete(STREAM_PIPELINE, namespace, "flights")
    until("it is gone", lambda: "flights" not in story.names(STREAM_PIPELINE), within=60)
    await _say_twice(installed, kube, namespace)
    installed.process.stop()  # it gives its Lease up
    assert installed.audit.refused() == []
    assert granted() - installed.audit.used() == NOT_IN_THE_LOG


async def _say_twice(installed: Installed, kube: Kube, namespace: str) -> None:
    """An Event's count is written five minutes after it."""
    client = await connect(installed.kubeconfig)
    try:
        speaker = Speaker(kube, namespace, ApiServer(client))
        await speaker.say("0 to 1 workers")
        speaker.clock += COUNT_AGAIN_SECONDS
        await speaker.say("0 to 1 workers")
    finally:
        await client.close()  # type: ignore[no-untyped-call]
