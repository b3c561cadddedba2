"""Go programs of pinned versions, built once and kept in the cache by what they are made from."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

from tests.cluster import cached, paths
from tests.cluster.commands import run

HELM = "helm.sh/helm/v4/cmd/helm@v4.3.1"
HELM_3 = "helm.sh/helm/v3/cmd/helm@v3.22.0"
# The Kubernetes that it renders for unless told: its Makefile takes it from the client's version.
HELM_3_RENDERS_FOR = {"chartutil.k8sVersionMinor": "37", "lint/rules.k8sVersionMinor": "37"}
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
    return _helm("helm", HELM, {})


def helm_3() -> Path:
    """The one before it, which many clusters are still installed with."""
    return _helm("helm3", HELM_3, HELM_3_RENDERS_FOR)


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


def _helm(name: str, module: str, named: dict[str, str]) -> Path:
    """`named`: variables of the module's packages, set at link time."""
    package, _, version = module.partition("/cmd/helm@")
    variables = [f"internal/version.version={version}"]
    variables += [f"pkg/{variable}={value}" for variable, value in named.items()]
    ldflags = " ".join(["-s -w", *(f"-X {package}/{variable}" for variable in variables)])

    def install(target: Path) -> None:
        env = {**_environment(), "GOBIN": str(target.parent)}
        run(["go", "install", "-ldflags", ldflags, module], env=env)
        (target.parent / "helm").rename(target)

    made_from = [module, *variables[1:], _go_version()]
    return cached.file("binaries", name, made_from, install)


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
