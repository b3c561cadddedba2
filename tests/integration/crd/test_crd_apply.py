"""Applying is stable: what a user wrote stays, and a second apply changes nothing."""

import json
from pathlib import Path

import pytest
from tests.support.kubectl import Kubectl
from tests.support.manifests import EXAMPLES, manifest, pipelines

from headrace_api import crd
from headrace_api.v1alpha1 import StreamPipeline


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_accepted_and_a_second_apply_says_unchanged(
    crd_kubectl: Kubectl, namespace: str, path: Path
) -> None:
    first = crd_kubectl("-n", namespace, "apply", "-f", str(path)).splitlines()
    second = crd_kubectl("-n", namespace, "apply", "-f", str(path)).splitlines()
    assert all(line.endswith(" created") for line in first)
    assert [line.rsplit(" ", 1)[1] for line in second] == ["unchanged"] * len(first)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_server_adds_nothing_inside_lists_and_nothing_that_means_something_else(
    crd_kubectl: Kubectl, namespace: str, path: Path
) -> None:
    for written in pipelines(path):
        crd_kubectl("-n", namespace, "create", "-f", "-", stdin=json.dumps(written))
        live = crd_kubectl.get("-n", namespace, "streampipeline", written["metadata"]["name"])
        assert live["spec"]["groups"] == written["spec"]["groups"]
        assert live["status"] == {"observedGeneration": -1}
        read = StreamPipeline.model_validate(live)
        assert read.spec == StreamPipeline.model_validate(written).spec


def test_the_definition_itself_can_be_applied_by_a_client(crd_kubectl: Kubectl) -> None:
    crd_kubectl("apply", "-f", str(crd.PATH))
    assert crd_kubectl("apply", "-f", str(crd.PATH)).endswith(" unchanged\n")


def test_server_side_appliers_own_their_groups_one_by_one(
    crd_kubectl: Kubectl, namespace: str
) -> None:
    def applied(manager: str, group: str) -> None:
        mine = manifest({"metadata.namespace": namespace, "spec.groups.0.name": group})
        apply = ("apply", "--server-side", "--field-manager", manager, "-f", "-")
        crd_kubectl("-n", namespace, *apply, stdin=json.dumps(mine))

    applied("one", "delays")
    applied("two", "audit")
    live = crd_kubectl.get("-n", namespace, "streampipeline", "flights")
    assert {group["name"] for group in live["spec"]["groups"]} == {"delays", "audit"}


def test_status_is_written_beside_the_spec(crd_kubectl: Kubectl, namespace: str) -> None:
    crd_kubectl("create", "-f", "-", stdin=json.dumps(manifest({"metadata.namespace": namespace})))
    change = {"spec": {"suspend": True}, "status": {"lag": 7}}
    patch = ("patch", "spl", "flights", "--type=merge", "-p", json.dumps(change))
    crd_kubectl("-n", namespace, *patch, "--subresource=status")
    live = crd_kubectl.get("-n", namespace, "spl", "flights")
    assert (live["spec"]["suspend"], live["status"]["lag"]) == (False, 7)
    assert live["metadata"]["generation"] == 1
    change["status"]["lag"] = 8
    crd_kubectl("-n", namespace, *patch[:-1], json.dumps(change))
    live = crd_kubectl.get("-n", namespace, "spl", "flights")
    assert (live["spec"]["suspend"], live["status"]["lag"]) == (True, 7)
