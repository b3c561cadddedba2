"""The command: `python3 -m tests.cluster up|down|status|kubeconfig|load|build|list|...`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.cluster import binaries, instances, lifecycle, other
from tests.cluster.errors import ClusterError
from tests.cluster.instances import Instance
from tests.cluster.processes import Processes


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
    command("list", _list, "all clusters of this machine, of every checkout")
    command("reap", _reap, "end the clusters whose checkout or test run is gone")
    command("build", _build, "build the programs into the cache")
    command("helm", _helm, "print the path of helm, built when the cache has none")
    command("kubectl", _kubectl, "print the path of kubectl, built when the cache has none")
    return parser


def _up(options: argparse.Namespace) -> None:
    if outside := other.kubeconfig():
        other.check(outside)
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
    if outside := other.kubeconfig():
        other.check(outside)
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
    print(other.kubeconfig() or _running(options.name).kubeconfig)


def _load(options: argparse.Namespace) -> None:
    for image in options.archive:
        if not image.is_file():
            raise ClusterError(f"{image} is no file; `image build` says where it put an image.")
        if outside := other.kubeconfig():
            other.load(outside, image)
        else:
            lifecycle.load(_running(options.name), image)


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


def _build(_: argparse.Namespace) -> None:
    for program in (binaries.kubernetes, binaries.coredns, binaries.pause, binaries.helm):
        print(program())


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
