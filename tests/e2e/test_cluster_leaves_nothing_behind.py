"""The local Kubernetes ends without a trace, however it was treated."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster import binaries, cgroups, existing, instances, lifecycle, node_config, paths
from tests.cluster.commands import run
from tests.cluster.instances import Instance, Owner
from tests.cluster.processes import Processes
from tests.support import machine

NAME = f"leftovers-{os.getpid()}"
PODS = f"""
apiVersion: v1
kind: Secret
metadata: {{name: mounted}}
stringData: {{key: value}}
---
apiVersion: v1
kind: Pod
metadata: {{name: pause, labels: {{app: pause}}}}
spec:
  containers:
  - name: pause
    image: {node_config.PAUSE_IMAGE}
    imagePullPolicy: Never
    resources: {{limits: {{memory: 32Mi, cpu: 100m}}}}
    volumeMounts:
    - {{name: secret, mountPath: /secret}}
    - {{name: memory, mountPath: /memory}}
  volumes:
  - {{name: secret, secret: {{secretName: mounted}}}}
  - {{name: memory, emptyDir: {{medium: Memory}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: pause}}
spec: {{type: NodePort, selector: {{app: pause}}, ports: [{{port: 80}}]}}
"""


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """No cluster of these tests outlives its test."""
    yield
    for instance in instances.listed():
        if instance.name.startswith(NAME):
            lifecycle.down(instance)


def run_pod(instance: Instance) -> None:
    kubectl: list[str | Path] = [binaries.kubectl(), f"--kubeconfig={instance.kubeconfig}"]
    run([*kubectl, "apply", "-f", "-"], stdin=PODS)
    run([*kubectl, "wait", "--for=condition=Ready", "pod/pause", "--timeout=60s"])


def test_down_leaves_nothing_of_a_cluster_with_running_pods() -> None:
    before = machine.look(but=NAME)
    instance = lifecycle.up(NAME, owner=Owner.current())
    run_pod(instance)
    assert "processes" in machine.look(but=NAME).added_since(before), "the look sees a cluster"

    lifecycle.down(instance)

    assert machine.look(but=NAME).added_since(before) == {}
    assert not instance.directory.exists()


def test_up_heals_a_cluster_whose_daemons_were_killed_and_down_leaves_nothing() -> None:
    before = machine.look(but=NAME)
    killed = lifecycle.up(NAME, owner=Owner.current())
    run_pod(killed)
    daemons = Processes(killed)
    for name in ("mounts", "containerd", "kubelet", "kube-apiserver"):
        pid = daemons.pid(name)
        assert pid
        os.kill(pid, signal.SIGKILL)

    again = lifecycle.up(NAME, owner=Owner.current())
    assert lifecycle.node_ready(again)
    run_pod(again)
    lifecycle.down(again)

    assert machine.look(but=NAME).added_since(before) == {}


def test_the_next_start_ends_the_cluster_of_a_killed_test_run() -> None:
    before = machine.look(but=NAME)
    script = (
        "import os, signal; from tests.cluster import lifecycle; "
        "from tests.cluster.instances import Owner; "
        f"lifecycle.up({NAME!r}, node=False, owner=Owner.current()); "
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=paths.CHECKOUT, check=False)
    assert done.returncode == -signal.SIGKILL
    orphan = instances.find(NAME)
    assert orphan
    assert orphan.orphaned
    assert lifecycle.healthy(orphan), "its daemons outlive the process that started them"

    lifecycle.reap()

    assert machine.look(but=NAME).added_since(before) == {}


def test_a_cluster_whose_directory_was_deleted_is_ended_all_the_same() -> None:
    before = machine.look(but=NAME)
    instance = lifecycle.up(NAME, node=False, owner=Owner.current())
    while instances.find(NAME):  # its daemons go on writing there meanwhile
        shutil.rmtree(instance.directory, ignore_errors=True)

    lifecycle.reap()

    assert not cgroups.processes(instance.cgroup)
    assert machine.look(but=NAME).added_since(before) == {}


def test_two_clusters_of_one_checkout_run_side_by_side() -> None:
    one = lifecycle.up(f"{NAME}-one", node=False, owner=Owner.current())
    two = lifecycle.up(f"{NAME}-two", node=False, owner=Owner.current())

    assert not one.subnets.block.overlaps(two.subnets.block)
    for instance in (one, two):
        existing.check(instance.kubeconfig)

    lifecycle.down(one)
    assert lifecycle.healthy(two), "the end of one is not felt by the other"
