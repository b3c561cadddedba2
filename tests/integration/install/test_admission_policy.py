"""The chart's admission policy: what the API server answers to a pipeline that would escape."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster import binaries
from tests.support.control_plane import ControlPlane
from tests.support.kubectl import Kubectl
from tests.support.waiting import WAIT_SECONDS, until

ROOT = Path(__file__).parents[3]
SPACE = "guarded"
# A run of kubectl for each answer, on a machine that is busy with other tests.
pytestmark = pytest.mark.timeout(400)
VALUES = [
    "admissionPolicy.enabled=true",
    "admissionPolicy.allowedServiceAccounts={billing}",
    "admissionPolicy.allowedCSIDrivers={secrets-store.csi.k8s.io}",
    f"admissionPolicy.namespaceSelector.matchLabels.kubernetes\\.io/metadata\\.name={SPACE}",
    "redis.allowedHosts={*.guarded.svc,redis.example.com}",
]


def pipeline(
    name: str, worker: dict[str, Any], endpoint: str = "redis:6379", trim: Any = None
) -> str:
    group = {"name": "a", "worker": {"handler": "handlers:app", "image": "x", **worker}}
    return json.dumps(
        {
            "apiVersion": "headrace.dev/v1alpha1",
            "kind": "StreamPipeline",
            "metadata": {"name": name, "namespace": SPACE},
            "spec": {
                "redis": {"endpoints": [endpoint]},
                "stream": {"name": "s", **({"trim": trim} if trim else {})},
                "groups": [group],
            },
        }
    )


def pod(**spec: Any) -> dict[str, Any]:
    return {"podTemplate": {"spec": spec}}


def container(**context: Any) -> dict[str, Any]:
    return {"securityContext": context}


def policy() -> str:
    chart = str(ROOT / "charts/headrace")
    sets = [word for value in VALUES for word in ("--set", value)]
    shown = ["--show-only", "templates/admissionpolicy.yaml"]
    command = [str(binaries.helm()), "template", "headrace", chart, *sets, *shown]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def kubectl(control_plane: ControlPlane) -> Iterator[Kubectl]:
    kubectl = Kubectl(control_plane.kubeconfig, control_plane.kubectl_path)
    definition = ROOT / "crds/streampipelines.headrace.dev.yaml"
    kubectl("apply", "--server-side", "-f", str(definition))
    kubectl("wait", "--for=condition=Established", "-f", str(definition), "--timeout=60s")
    kubectl("create", "namespace", SPACE)
    kubectl("create", "-f", "-", stdin=pipeline("older", container(privileged=True)))
    kubectl("apply", "-f", "-", stdin=policy())
    yield kubectl
    kubectl("delete", "-f", "-", stdin=policy())
    kubectl("delete", "namespace", SPACE, "--wait=false")


def answer(kubectl: Kubectl, manifest: str) -> str:
    """What the API server says; it stores nothing."""
    done = kubectl.attempt("create", "--dry-run=server", "-f", "-", stdin=manifest)
    return done.stdout + done.stderr


REFUSED = [
    (container(privileged=True), "must not run privileged"),
    (container(allowPrivilegeEscalation=True), "must not run privileged"),
    (container(capabilities={"add": ["SYS_ADMIN"]}), "must not run privileged"),
    (container(runAsUser=0), "must not run as root"),
    (container(runAsNonRoot=False), "must not run as root"),
    (pod(securityContext={"runAsUser": 0}), "must not run as root"),
    (container(seccompProfile={"type": "Unconfined"}), "must keep a seccomp profile"),
    (
        pod(securityContext={"seccompProfile": {"type": "Unconfined"}}),
        "must keep a seccomp profile",
    ),
    (pod(serviceAccountName="cluster-admin"), "not one of the allowed service accounts (billing)"),
    (
        pod(volumes=[{"name": "v", "csi": {"driver": "hostpath.csi.k8s.io"}}]),
        "uses a CSI driver that is not allowed (secrets-store.csi.k8s.io)",
    ),
]
ALLOWED = [
    {},
    container(privileged=False, capabilities={"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]}),
    container(runAsUser=1000, seccompProfile={"type": "RuntimeDefault"}),
    pod(serviceAccountName="billing", securityContext={"fsGroup": 1000}),
    pod(volumes=[{"name": "v", "csi": {"driver": "secrets-store.csi.k8s.io"}}]),
]
NOT_A_FIELD = [
    pod(hostNetwork=True),
    pod(hostPID=True),
    pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}]),
    pod(containers=[{"name": "own", "image": "x"}]),
]


def test_what_would_escape_is_refused_with_a_sentence(kubectl: Kubectl) -> None:
    first, sentence = REFUSED[0]
    # A new policy is in force some moments after it was written.
    until(
        "the policy is in force",
        lambda: sentence in answer(kubectl, pipeline("p", first)),
        within=2 * WAIT_SECONDS,
    )
    for worker, words in REFUSED:
        assert words in answer(kubectl, pipeline("p", worker)), worker


def test_the_pods_that_trim_are_held_to_the_same(kubectl: Kubectl) -> None:
    trim = {"maxLength": 10, **pod(serviceAccountName="cluster-admin")}
    assert "not one of the allowed" in answer(kubectl, pipeline("p", {}, trim=trim))


def test_what_stays_inside_is_taken(kubectl: Kubectl) -> None:
    for worker in ALLOWED:
        said = answer(kubectl, pipeline("p", worker))
        assert "created (server dry run)" in said, said


def test_the_nodes_own_things_have_no_field_at_all(kubectl: Kubectl) -> None:
    for worker in NOT_A_FIELD:
        assert "unknown field" in answer(kubectl, pipeline("p", worker)), worker


def test_only_the_platforms_hosts_are_taken(kubectl: Kubectl) -> None:
    answers = {
        host: answer(kubectl, pipeline("p", {}, f"{host}:6379"))
        for host in ("redis", "redis.guarded.svc", "redis.example.com", "redis.other.svc")
    }
    refused = {host for host, said in answers.items() if "not allowed here" in said}
    assert refused == {"redis.other.svc"}, answers
    for host in ("169.254.169.254", "[fe80::1]"):
        assert "link-local" in answer(kubectl, pipeline("p", {}, f"{host}:6379"))


def test_a_pipeline_older_than_the_policy_can_be_labelled_but_not_changed(
    kubectl: Kubectl,
) -> None:
    kubectl("-n", SPACE, "label", "streampipeline/older", "seen=yes")
    patch = json.dumps({"spec": {"suspend": True}})
    changed = kubectl.attempt(
        "-n", SPACE, "patch", "streampipeline/older", "--type=merge", "-p", patch
    )
    assert "must not run privileged" in changed.stderr


def test_an_older_cluster_is_told_before_anything_is_installed() -> None:
    command = [str(binaries.helm()), "template", "headrace", str(ROOT / "charts/headrace")]
    older = ["--kube-version", "1.29.0", "--set", VALUES[0]]
    done = subprocess.run([*command, *older], capture_output=True, text=True, check=False)
    assert "needs Kubernetes 1.30" in done.stderr
    assert yaml.safe_load(policy().split("---")[1])["kind"] == "ValidatingAdmissionPolicy"
