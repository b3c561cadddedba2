"""Everything that a release consists of, but for the pushed images.

    python -m make.release dist/release            build the commit that is checked out
    python -m make.release dist/release --twice    build it again elsewhere and compare

What is built is the commit, not the working copy. Nothing is published or signed here: the
workflow .github/workflows/release.yml does that with these files, and make/signatures.py rehearses
the signing.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from make import image_bill, image_contents, krew, olm, release_files
from make.version import TRUTH, found

ROOT = Path(__file__).parents[1]
CRDS = ("crds/streampipelines.headrace.dev.yaml", "crds/redisconnections.headrace.dev.yaml")
GROUP = "headrace.dev"
SCHEMAS = (
    "crds/schemas/streampipeline_v1alpha1.json",
    "crds/schemas/redisconnection_v1alpha1.json",
)
CHARTS = ("charts/headrace", "charts/pipeline")
EXTRAS = {"operator": ["operator"], "worker": []}
# Whoever builds elsewhere says so; GitHub's own statement is signed by the workflow.
BUILDER = os.environ.get(
    "HEADRACE_BUILDER", f"{release_files.REPOSITORY}/blob/main/make/release.py"
)


class Build:
    """One build of one commit, from an export of it, into one folder."""

    def __init__(self, source: Path, out: Path, commit: str, epoch: int) -> None:
        self.source, self.out, self.commit, self.epoch = source, out, commit, epoch
        self.version = found(source, *TRUTH)
        self.environment = os.environ | {
            "SOURCE_DATE_EPOCH": str(epoch),
            "PIP_CONSTRAINT": str(source / "constraints.txt"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def run_all(self) -> dict[str, str]:
        """Every file, then the statement and the checksums. Answers name -> sha256."""
        self.out.mkdir(parents=True)
        self.plugin(self.wheel())
        self.charts()
        self.manifests()
        self.images()
        layers = {}
        for name in EXTRAS:
            self.bill_of_materials(name)
            layers[name] = self.image_bill(name)
        files = release_files
        files.write_json(self.out / files.LAYERS, layers)
        materials = {"constraints.txt": files.sha256_of(self.source / "constraints.txt")}
        statement = files.provenance(
            files.digests_of(self.out), self.version, self.commit, BUILDER, materials
        )
        files.write_json(self.out / files.PROVENANCE, statement)
        digests = files.digests_of(self.out)
        (self.out / files.CHECKSUMS).write_text(files.checksums(digests), "utf-8")
        return digests

    def wheel(self) -> Path:
        self._run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", self.out, ".")
        (wheel,) = self.out.glob("*.whl")
        return wheel

    def plugin(self, wheel: Path) -> None:
        """kubectl's plugin for krew: the archive, and the manifest with its digest."""
        archive = krew.archive(self.source, wheel, self.epoch)
        (self.out / krew.archive_name(self.version)).write_bytes(archive)
        manifest = krew.manifest(self.version, archive)
        (self.out / "krew").mkdir()
        (self.out / "krew" / f"{krew.NAME}.yaml").write_text(krew.text(manifest), "utf-8")

    def charts(self) -> None:
        for chart in CHARTS:
            with tempfile.TemporaryDirectory() as folder:
                self._run(_tool("helm"), "package", chart, "--destination", folder)
                (package,) = Path(folder).iterdir()
                packed = release_files.repacked(package.read_bytes(), self.epoch)
                (self.out / package.name).write_bytes(packed)

    def manifests(self) -> None:
        """The definitions, their JSON Schemas, and one file that installs all."""
        for crd in CRDS:
            shutil.copyfile(self.source / crd, self.out / Path(crd).name)
        schemas = self.out / "schemas" / GROUP
        schemas.mkdir(parents=True, exist_ok=True)
        for schema in SCHEMAS:
            shutil.copy(self.source / schema, schemas)
        installed = self._run(_tool("kubectl"), "kustomize", "charts/kustomize/base")
        (self.out / "install.yaml").write_text(installed, "utf-8")
        bundle = release_files.packed(olm.bundle(self.source, self.epoch), self.epoch)
        (self.out / f"olm-bundle-{self.version}.tgz").write_bytes(bundle)

    def images(self) -> None:
        bake = release_files.bake_file(self.version, self.commit, self.epoch)
        release_files.write_json(self.out / "docker-bake.json", bake)

    def bill_of_materials(self, image: str) -> None:
        """CycloneDX, of the Python packages that this image installs."""
        target = self.out / f"{image}.cdx.json"
        with tempfile.TemporaryDirectory() as folder:
            venv.create(folder)
            python = f"{folder}/bin/python"
            wanted = self._run(sys.executable, "worker_image/dependencies.py", *EXTRAS[image])
            self._run(
                sys.executable, "-m", "pip", "--python", python, "install", "-q", *wanted.split()
            )
            arguments = ["--output-reproducible", "--pyproject", "pyproject.toml", "-o", target]
            self._run(sys.executable, "-m", "cyclonedx_py", "environment", *arguments, python)
        bill = json.loads(target.read_text("utf-8"))
        # pyproject.toml takes the version from the package, where the tool does not look.
        bill["metadata"]["component"]["version"] = self.version
        release_files.write_json(target, bill)

    def image_bill(self, image: str) -> tuple[str, ...]:
        """CycloneDX, of all that is installed in the image as it is built here, from the commit.

        Answers the digests of its layers.
        """
        epoch = f"--epoch={self.epoch}"
        command = [sys.executable, "-m", "tests.cluster", "image", "build", epoch]
        tag = f"localhost/headrace-release/{image}:{self.version}"
        dockerfile = self.source / release_files.IMAGES[image]
        context = ["--tag", tag, "--dockerfile", dockerfile, "--context", self.source]
        contents = image_contents.read(Path(self._run(*command, *context).strip()))
        bill = image_bill.bill(image, self.version, contents)
        release_files.write_json(self.out / f"{image}-image.cdx.json", bill)
        return contents.layers

    def _run(self, *command: object) -> str:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.source,
            env=self.environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return done.stdout


def _tool(name: str) -> str:
    """Helm or kubectl: the pinned ones of the local cluster."""
    command = [sys.executable, "-m", "tests.cluster", name]
    return subprocess.run(
        command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


def build(out: Path) -> dict[str, str]:
    """Exports the checked out commit to a folder of its own and builds it from there."""
    commit, epoch = _git("rev-parse", "HEAD"), int(_git("log", "-1", "--format=%ct"))
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "source.tar"
        _git("archive", "--output", str(archive), "HEAD")
        source = Path(folder) / "source"
        shutil.unpack_archive(archive, source, filter="data")
        return Build(source, out, commit, epoch).run_all()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m make.release", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--twice", action="store_true", help="build again elsewhere and compare")
    given = parser.parse_args(arguments)
    out = given.out.resolve()
    shutil.rmtree(out, ignore_errors=True)
    digests = build(out)
    if given.twice:
        with tempfile.TemporaryDirectory() as folder:
            again = build(Path(folder) / "release")
        different = sorted(name for name in digests if again.get(name) != digests[name])
        if different or again.keys() != digests.keys():
            print("not the same when built again: " + ", ".join(different), file=sys.stderr)
            return 1
    for name, digest in digests.items():
        print(f"{digest[:12]}  {name}")
    print(
        f"{len(digests)} files in {given.out}" + (", equal when built twice" if given.twice else "")
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
