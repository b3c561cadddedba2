"""The start and the end of a cluster, each from top to bottom in one function."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import socket
import urllib.request
from pathlib import Path

from tests.cluster import (
    api,
    binaries,
    certificates,
    cgroups,
    components,
    instances,
    machine,
    network,
    node_config,
    objects,
    packages,
    paths,
    requirements,
)
from tests.cluster.commands import run
from tests.cluster.images import archive
from tests.cluster.instances import Instance, Owner
from tests.cluster.processes import Processes

DEFAULT = "default"


def up(name: str = DEFAULT, *, node: bool = True, owner: Owner | None = None) -> Instance:
    """Boot the cluster `name` of this checkout, or return it when it runs already.

    Without `node` it is etcd, the API server, the controllers and the scheduler: enough for tests
    that need no pod. It is taken down with `down`, or by the next `up` once `owner` has died.
    Raises ClusterError.
    """
    requirements.check()
    packages.install_missing(packages.CONTROL_PLANE, packages.NODE if node else {})
    binaries.kubernetes()
    if node:
        binaries.coredns()
        binaries.pause()
    reap()
    while True:
        known = instances.find(name)
        if known is not None and known.node and not node and healthy(known):
            return known  # a node has a control plane
        instance = instances.allocate(name, node=node, owner=owner, routes=network.routes())
        with instances.locked(str(instance.index)):
            if not instances.current(instance):
                continue
            if healthy(instance):
                return instance
            _clear(instance)
            try:
                _boot(instance)
            except BaseException:
                _stop(instance)
                raise
            return instance


def down(instance: Instance) -> None:
    """End the cluster and everything that it has made on this machine."""
    with instances.locked(str(instance.index)):
        if instances.current(instance):
            _clear(instance)
            instances.release(instance)
    machine.tidy()


def reap() -> list[Instance]:
    """End the clusters that nobody can want any more: their owner or their checkout is gone."""
    gone = [instance for instance in instances.listed() if instance.orphaned]
    for instance in gone:
        down(instance)
    for index in (network.indexes() | cgroups.indexes()) - _recorded():
        _end_stray(index)
    return gone


def _recorded() -> set[int]:
    return {instance.index for instance in instances.listed()}


def _end_stray(index: int) -> None:
    """End what has this index and no record: somebody deleted the directory of a live cluster."""
    with instances.locked(str(index)), instances.locked("allocation"):
        if index not in _recorded():
            stray = Instance(index, "stray", paths.CHECKOUT, node=True)
            _stop(stray)
            if stray.directory.exists():  # daemons made it anew
                shutil.rmtree(stray.directory)


def healthy(instance: Instance) -> bool:
    """Every daemon runs and the API server answers."""
    daemons = Processes(instance)
    wanted = {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}
    if instance.node:
        wanted |= {"containerd", "kubelet", "kube-proxy", "coredns"}
    return all(daemons.pid(one) for one in wanted) and _api(instance).ready()


def node_ready(instance: Instance) -> bool:
    """The API server knows the node and calls it Ready."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        status, body = _api(instance).get("/api/v1/nodes/node")
        conditions = json.loads(body)["status"]["conditions"] if status == 200 else []
        return any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)
    return False


def _boot(instance: Instance) -> None:
    home, net, binary = instance.directory, instance.subnets, binaries.kubernetes()
    network.create(instance)
    daemons = Processes(instance)
    daemons.open_namespaces()
    daemons.start("etcd", components.etcd(binary, home))
    if instance.node:
        _configure_node(instance)
        daemons.start("containerd", components.containerd(home))
    certificates.create(home / "pki", net)
    for file, user in (("kubeconfig", "admin"), ("node.kubeconfig", "node")):
        (home / file).touch(mode=0o600)
        (home / file).write_text(api.kubeconfig(str(net.node_address), home / "pki", user))
    (home / "audit-policy.json").write_text(node_config.audit_policy())
    daemons.start("kube-apiserver", components.apiserver(binary, home, net))
    if instance.node:
        _import_pause(instance, daemons)
    kubernetes = _api(instance)
    daemons.wait("kube-apiserver", kubernetes.ready, timeout=60)
    daemons.start("kube-controller-manager", components.controller_manager(binary, home))
    daemons.start("kube-scheduler", components.scheduler(binary, home))
    if instance.node:
        _start_node(instance, daemons)
    daemons.wait("kube-controller-manager", lambda: _has_account(kubernetes), timeout=60)


def _configure_node(instance: Instance) -> None:
    home, net = instance.directory, instance.subnets
    for directory in ("containerd", "cni", "volumes"):
        (home / directory).mkdir()
    # Overlay file systems cannot be stacked on one another, as in a container of its own.
    stacked = requirements.filesystem(home) in {"overlay", "aufs"}
    config = node_config.containerd(
        home,
        restrict_oom_score=not requirements.has_capability(requirements.CAP_SYS_RESOURCE),
        snapshotter="native" if stacked else "overlayfs",
    )
    (home / "containerd" / "config.toml").write_text(config)
    (home / "cni" / "10-pods.conflist").write_text(node_config.cni(home, net))
    (home / "kubelet.json").write_text(node_config.kubelet(home, net, instance.cgroup))
    (home / "Corefile").write_text(node_config.corefile(home))


def _import_pause(instance: Instance, daemons: Processes) -> None:
    image = instance.directory / "pause.tar"
    archive.write(image, program=binaries.pause(), tag=node_config.PAUSE_IMAGE)
    daemons.wait("containerd", lambda: _answers(instance.containerd_socket), timeout=30)
    load(instance, image)


def load(instance: Instance, image: Path) -> None:
    """Give an image archive (docker or OCI) to the node's containerd."""
    run(
        [
            "ctr",
            "--address",
            instance.containerd_socket,
            "--namespace",
            "k8s.io",
            "images",
            "import",
            image,
        ]
    )


def _start_node(instance: Instance, daemons: Processes) -> None:
    home, net, binary = instance.directory, instance.subnets, binaries.kubernetes()
    daemons.start("kubelet", components.kubelet(binary, home, net))
    daemons.start("kube-proxy", components.proxy(binary, home, net))
    daemons.start("coredns", components.coredns(binaries.coredns(), home))
    kubernetes = _api(instance)
    for path, manifest in [*objects.dns(net), *objects.storage(home / "volumes")]:
        kubernetes.apply(path, manifest)
    for number in range(objects.VOLUMES):
        volume = home / "volumes" / f"volume-{number:02}"
        volume.mkdir()
        volume.chmod(0o777)  # any user of a pod may write, as on a volume of its own
    daemons.wait("kubelet", lambda: node_ready(instance), timeout=90)
    daemons.wait("coredns", lambda: _dns_ready(instance), timeout=30)


def _clear(instance: Instance) -> None:
    """Remove what a former run of this index has left, whole or killed; keep its record."""
    _stop(instance)
    for entry in instance.directory.iterdir():
        if entry.name == instances.RECORD:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _stop(instance: Instance) -> None:
    cgroups.kill(instance.cgroup)
    network.remove(instance)
    cgroups.remove(instance.cgroup)


def _api(instance: Instance) -> api.Api:
    return api.Api(str(instance.subnets.node_address), instance.directory / "pki")


def _has_account(kubernetes: api.Api) -> bool:
    """Pods of the namespace default are refused before its ServiceAccount is there."""
    return kubernetes.get("/api/v1/namespaces/default/serviceaccounts/default")[0] == 200


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(path))
        except OSError:
            return False
        return True


def _dns_ready(instance: Instance) -> bool:
    with contextlib.suppress(OSError):
        url = f"http://{instance.subnets.node_address}:8181/ready"
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    return False
