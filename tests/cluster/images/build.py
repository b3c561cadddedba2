"""Builds the project's Dockerfiles, and brings public images, each as an archive for a node."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from tests.cluster import cached, packages, paths
from tests.cluster.commands import run
from tests.cluster.errors import ClusterError
from tests.cluster.images import catalogue, debian, dockerfile, registry, store

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
FILES = Path(__file__).resolve().parent / "files"
PIP_SETTINGS = re.compile(r"^[\w:]+\.\.?(index-url|extra-index-url|trusted-host)='(.*)'$", re.M)


def build(
    file: Path, tag: str, context: Path = paths.CHECKOUT, *, epoch: int | None = None
) -> Path:
    """Build `file` and return the image as a docker archive; what did not change is not rebuilt.

    With `epoch` (Unix seconds), all is built anew, and every file gets that time.
    """
    if not file.is_file():
        raise ClusterError(f"{file} is no Dockerfile: give its path from the current directory.")
    for base in dockerfile.bases(file.read_text()):
        _bring(base)
    _bud(file, tag, context, *(() if epoch is None else ("--no-cache", f"--timestamp={epoch}")))
    return store.archive(tag)


def provide(reference: str) -> Path:
    """A public image as a docker archive: pulled, or made of Debian packages without a registry."""
    name = dockerfile.full_name(reference)
    _bring(name)
    return store.archive(name)


def _bring(reference: str) -> None:
    """Have the image in the store under its public name."""
    if store.has(reference):
        return
    if registry.answers(reference):
        store.buildah("pull", "--quiet", reference)
        return
    made = catalogue.substitute(reference)
    if made is None:
        raise ClusterError(
            f"{reference} cannot be pulled, as its registry does not answer, and there is no "
            "recipe for it in tests/cluster/images/catalogue.py."
        )
    packages.install_missing(packages.IMAGES)
    root = cached.file(
        "roots",
        f"{made.packages[0]}.tar",
        ["minbase", debian.SUITE, *made.packages],
        lambda target: debian.root_file_system(made.packages, target),
    )
    with tempfile.TemporaryDirectory(dir=root.parent) as directory:
        context = Path(directory)
        (context / "root.tar").hardlink_to(root)
        for provided in FILES.iterdir():
            shutil.copy(provided, context)
        (context / "Containerfile").write_text(made.containerfile)
        _bud(context / "Containerfile", reference, context)


def _bud(file: Path, tag: str, context: Path, *more: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        settings = Path(directory) / "pip.conf"
        settings.write_text(pip_settings(_pip_config(), certificates=CERTIFICATES.is_file()))
        mounts = ["/etc/hosts:/etc/hosts:ro", f"{settings}:/etc/pip.conf:ro"]
        if CERTIFICATES.is_file():
            mounts.append(f"{CERTIFICATES}:{CERTIFICATES}:ro")
        volumes = [f"--volume={mount}" for mount in mounts]
        options = ["--quiet", "--layers", "--isolation", "chroot", "--network", "host", *more]
        store.buildah("bud", *options, *volumes, "--tag", tag, "--file", file.resolve(), context)


def pip_settings(config: str, *, certificates: bool) -> str:
    """The pip.conf of a build: this machine's package index and authorities, nothing else of it.

    `config` is what `pip config list` prints.
    """
    lines = ["[global]", *(f"{name} = {value}" for name, value in PIP_SETTINGS.findall(config))]
    if certificates:
        lines.append(f"cert = {CERTIFICATES}")
    return "\n".join(lines) + "\n"


def _pip_config() -> str:
    python = shutil.which("python3")
    try:
        return run([python, "-m", "pip", "config", "list"]) if python else ""
    except ClusterError:  # a machine without pip has no settings for it
        return ""
