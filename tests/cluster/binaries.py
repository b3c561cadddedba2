"""Go programs of pinned versions, built once and kept in the cache by what they are made from."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

from tests.cluster import cached, paths
from tests.cluster.commands import run

HELM = "helm.sh/helm/v4/cmd/helm@v4.3.1"
VERSION = "k8s.io/component-base/version"


def kubernetes() -> Path:
    """One program that is etcd and every component of Kubernetes, chosen by its first argument."""
    return _module("kubernetes", _kubernetes_flags())


def kubectl() -> Path:
    """The same program under the name kubectl."""
    link = kubernetes().with_name("kubectl")
    if not link.exists():
        link.unlink(missing_ok=True)
        link.symlink_to(kubernetes().name)
    return link


def coredns() -> Path:
    return _module("coredns", "")


def pause() -> Path:
    """The program that holds a pod's namespaces open."""
    return _module("pause", "")


def kstatus() -> Path:
    """Tells what Flux's `wait` makes of an object."""
    return _module("kstatus", "")


def helm() -> Path:
    """The helm command, built from its module."""

    def install(target: Path) -> None:
        env = {**_environment(), "GOBIN": str(target.parent)}
        run(["go", "install", "-ldflags", f"-s -w -X {_helm_version()}", HELM], env=env)
        (target.parent / "helm").replace(target)

    return cached.file("binaries", "helm", [HELM, _go_version()], install)


def kubernetes_version() -> str:
    """The pinned version, such as v1.35.4."""
    requirements = (paths.GO_SOURCES / "kubernetes" / "go.mod").read_text()
    found = re.search(r"^\tk8s\.io/kubernetes (v\S+)", requirements, re.MULTILINE)
    assert found
    return found[1]


def _kubernetes_flags() -> str:
    version = kubernetes_version()
    major, minor, _ = version.removeprefix("v").split(".")
    named = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return " ".join(f"-X {VERSION}.{name}={value}" for name, value in named.items())


def _helm_version() -> str:
    return f"helm.sh/helm/v4/internal/version.version={HELM.rpartition('@')[2]}"


@cache
def _module(name: str, flags: str) -> Path:
    source = paths.GO_SOURCES / name
    files = sorted(file for file in source.iterdir() if file.suffix in {".go", ".mod", ".sum"})
    made_from = [flags, _go_version(), *(f"{file.name}\n{file.read_text()}" for file in files)]

    def compile_into(target: Path) -> None:
        ldflags = f"-s -w {flags}".strip()
        run(["go", "build", "-ldflags", ldflags, "-o", target, "."], cwd=source, env=_environment())

    return cached.file("binaries", name, made_from, compile_into)


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOFLAGS": "-trimpath -buildvcs=false",
        "GOWORK": "off",
    }


@cache
def _go_version() -> str:
    return run(["go", "env", "GOVERSION"], env=_environment()).strip()
