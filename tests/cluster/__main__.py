"""The command: `python3 -m tests.cluster up|down|status|kubeconfig|load|build|list|...`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.cluster import binaries, existing, instances, lifecycle, packages, paths, requirements
from tests.cluster.errors import ClusterError
from tests.cluster.images import build, debian
from tests.cluster.instances import Instance
from tests.cluster.processes import Processes

PROJECT_IMAGES = {
    "worker_image/Dockerfile": f"ghcr.io/headrace/worker:{paths.version()}",
    "operator/Dockerfile": f"ghcr.io/headrace/operator:{paths.version()}",
}
PUBLIC_IMAGES = ["docker.io/library/redis:8.0"]


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return int(options.act(options) or 0)
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m tests.cluster", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, act: object, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(act=act)
        return added

    def named(name: str, act: object, text: str) -> argparse.ArgumentParser:
        added = command(name, act, text)
        added.add_argument("--name", default=lifecycle.DEFAULT, help="one of several clusters")
        return added

    up = named("up", _up, "boot the cluster of this checkout, or say that it runs")
    up.add_argument("--control-plane", action="store_true", help="no node: nothing runs pods")
    named("down", _down, "end it and remove everything that it made")
    named("status", _status, "say what runs")
    named("kubeconfig", _kubeconfig, "print the path of its kubeconfig")
    load = named("load", _load, "give image archives to its node")
    load.add_argument("archive", type=Path, nargs="+")
    images = command("image", None, "make image archives").add_subparsers(required=True)
    building = images.add_parser("build", help="build a Dockerfile; print the path of the archive")
    building.add_argument("--dockerfile", type=Path, required=True)
    building.add_argument("--tag", required=True)
    building.add_argument("--context", type=Path, default=paths.CHECKOUT)
    building.add_argument("--epoch", type=int, help="all anew, each file of this time")
    building.set_defaults(act=_image_build)
    provide = images.add_parser("provide", help="bring a public image; print its archive's path")
    provide.add_argument("reference", nargs="+")
    provide.set_defaults(act=_image_provide)
    named("images", _images, "build the project's images, and load them into a running node")
    command("list", _list, "all clusters of this machine, of every checkout")
    command("reap", _reap, "end the clusters whose checkout or test run is gone")
    everything = command("build", _build, "build the programs into the cache")
    everything.add_argument("--images", action="store_true", help="the images too")
    command("helm", _helm, "print the path of helm, built when the cache has none")
    command("kubectl", _kubectl, "print the path of kubectl, built when the cache has none")
    return parser


def _up(options: argparse.Namespace) -> None:
    if outside := existing.kubeconfig():
        existing.check(outside)
        print(f"HEADRACE_KUBECONFIG={outside} answers; it is used instead of a cluster of our own.")
        return
    begun = time.monotonic()
    instance = lifecycle.up(options.name, node=not options.control_plane)
    what = "node is Ready" if instance.node else "control plane answers"
    print(f"The {what} after {time.monotonic() - begun:.1f} s.")
    print(f"export KUBECONFIG={instance.kubeconfig}")


def _down(options: argparse.Namespace) -> None:
    instance = instances.find(options.name)
    if instance is None:
        print(f"There is no cluster {options.name!r} of this checkout.")
        return
    lifecycle.down(instance)
    print(f"The cluster {options.name!r} is gone.")


def _status(options: argparse.Namespace) -> int:
    if outside := existing.kubeconfig():
        existing.check(outside)
        print(f"HEADRACE_KUBECONFIG={outside} answers.")
        return 0
    instance = instances.find(options.name)
    if instance is None:
        print("There is none; `make cluster-up` boots it.")
        return 1
    daemons = Processes(instance)
    for name in daemons.started():
        pid = daemons.pid(name)
        print(f"{name:26}{f'runs, pid {pid}' if pid else 'has ended'}")
    up = lifecycle.healthy(instance)
    print(f"{'API server':26}{'ready' if up else 'not ready'}")
    if instance.node:
        ready = up and lifecycle.node_ready(instance)
        print(f"{'node':26}{'Ready' if ready else 'not Ready'}")
    print(f"{'addresses':26}{instance.subnets.block}, network namespace {instance.namespace}")
    print(f"{'files':26}{instance.directory}")
    print(f"export KUBECONFIG={instance.kubeconfig}")
    return 0 if up else 1


def _kubeconfig(options: argparse.Namespace) -> None:
    print(existing.kubeconfig() or _running(options.name).kubeconfig)


def _load(options: argparse.Namespace) -> None:
    for image in options.archive:
        if not image.is_file():
            raise ClusterError(f"{image} is no file; `image build` says where it put an image.")
        if outside := existing.kubeconfig():
            existing.load(outside, image)
        else:
            lifecycle.load(_running(options.name), image)


def _image_build(options: argparse.Namespace) -> None:
    print(build.build(options.dockerfile, options.tag, options.context, epoch=options.epoch))


def _image_provide(options: argparse.Namespace) -> None:
    for reference in options.reference:
        print(build.provide(reference))


def _images(options: argparse.Namespace) -> None:
    archives = _archives()
    if outside := existing.kubeconfig():
        for archive in archives:
            existing.load(outside, archive)
    elif (instance := instances.find(options.name)) and instance.node:
        for archive in archives:
            lifecycle.load(instance, archive)
    for archive in archives:
        print(archive)


def _list(_: argparse.Namespace) -> None:
    for instance in instances.listed():
        kind = "node" if instance.node else "control plane"
        state = (
            "unwanted" if instance.orphaned else "runs" if lifecycle.healthy(instance) else "dead"
        )
        print(f"{instance.index:<4}{instance.name:24}{kind:16}{state:10}{instance.checkout}")


def _reap(_: argparse.Namespace) -> None:
    for instance in lifecycle.reap():
        print(f"The cluster {instance.name!r} of {instance.checkout} is gone.")


def _build(options: argparse.Namespace) -> None:
    """All that takes minutes, so that no test waits for it."""
    packages.install_missing(packages.REDIS)
    debian.unpacked(debian.SERVERS)
    debian.unpacked(debian.SERVERS, debian.NEWEST)
    debian.unpacked(debian.PROMETHEUS)
    if existing.kubeconfig():
        return
    requirements.check()
    packages.install_missing(packages.CONTROL_PLANE, packages.NODE, packages.IMAGES)
    for program in (
        binaries.kubernetes,
        binaries.coredns,
        binaries.pause,
        binaries.helm,
        binaries.helm_3,
    ):
        print(program())
    if options.images:
        for archive in _archives():
            print(archive)


def _archives() -> list[Path]:
    own = [build.build(paths.CHECKOUT / file, tag) for file, tag in PROJECT_IMAGES.items()]
    return own + [build.provide(reference) for reference in PUBLIC_IMAGES]


def _helm(_: argparse.Namespace) -> None:
    print(binaries.helm())


def _kubectl(_: argparse.Namespace) -> None:
    print(binaries.kubectl())


def _running(name: str) -> Instance:
    instance = instances.find(name)
    if instance is None:
        raise ClusterError("There is no cluster; `make cluster-up` boots it.")
    return instance


if __name__ == "__main__":
    sys.exit(main())
