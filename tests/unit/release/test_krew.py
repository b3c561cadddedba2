"""The plugin for krew: the manifest as krew-index takes it, and an archive that works."""

import hashlib
import io
import os
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from make import krew

ROOT = Path(__file__).parents[3]
EPOCH = 1_700_000_000
TEXT = {"type": "string", "minLength": 1}
FROM_TO = {"type": "object", "required": ["from", "to"], "additionalProperties": False}
PLATFORM = {
    "type": "object",
    "required": ["selector", "uri", "sha256", "bin"],
    "properties": {
        "selector": {"type": "object", "required": ["matchExpressions"]},
        "uri": {"type": "string", "pattern": "^https://.*[.](tar[.]gz|zip)$"},
        "sha256": {"type": "string", "pattern": "^[a-f0-9]{64}$"},
        "bin": TEXT,
        "files": {"type": "array", "items": FROM_TO},
    },
    "additionalProperties": False,
}
# After pkg/index and internal/index/validation of krew, which has no JSON Schema of its own.
SCHEMA = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "krew.googlecontainertools.github.com/v1alpha2"},
        "kind": {"const": "Plugin"},
        "metadata": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string", "pattern": "^[\\w-]+$"}},
        },
        "spec": {
            "type": "object",
            "required": ["version", "shortDescription", "platforms"],
            "properties": {
                "version": {"type": "string", "pattern": "^v\\d+\\.\\d+\\.\\d+(-[a-z]+\\.\\d+)?$"},
                "shortDescription": {**TEXT, "maxLength": 50, "pattern": "[^.]$"},
                "homepage": {"type": "string", "pattern": "^https://"},
                "description": TEXT,
                "caveats": TEXT,
                "platforms": {"type": "array", "minItems": 1, "items": PLATFORM},
            },
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}


def wheel_of(folder: Path, *needs: str) -> Path:
    """A wheel like ours that says how it was called."""
    path, info = folder / "headrace-9.8.7-py3-none-any.whl", "headrace-9.8.7.dist-info"
    about = ["Metadata-Version: 2.1", "Name: headrace", "Version: 9.8.7"]
    about += [f"Requires-Dist: {one}" for one in needs]
    files = {
        "headrace/__init__.py": "",
        "headrace/kubectl/__init__.py": "",
        "headrace/kubectl/__main__.py": "import sys\nprint(*sys.argv[1:])\nsys.exit(3)\n",
        f"{info}/METADATA": "\n".join(about) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as packed:
        for name, text in files.items():
            packed.writestr(name, text)
    return path


def unpacked(folder: Path, *needs: str) -> Path:
    """The program, where krew would have put it."""
    archive = krew.archive(ROOT, wheel_of(folder, *needs), EPOCH)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder / "store", filter="data")
    return folder / "store" / krew.PROGRAM


def call(program: Path, cache: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(program), *arguments],
        env={**os.environ, "XDG_CACHE_HOME": str(cache), "PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("version", ["0.1.0", "1.2.3rc1"])
def test_the_manifest_is_one_that_krew_takes(version: str) -> None:
    made = krew.manifest(version, b"archive")
    assert list(Draft202012Validator(SCHEMA).iter_errors(made)) == []
    assert yaml.safe_load(krew.text(made)) == made
    assert "description: |\n    Says whether" in krew.text(made)
    (platform,) = made["spec"]["platforms"]
    assert platform["sha256"] == hashlib.sha256(b"archive").hexdigest()
    assert platform["uri"].endswith(f"/v{version}/{krew.archive_name(version)}")


def test_versions_are_ordered_as_krew_orders_them() -> None:
    assert [krew.semantic(one) for one in ("1.2.3", "1.2.3rc1")] == ["v1.2.3", "v1.2.3-rc.1"]


def test_the_archive_is_the_same_each_time_and_holds_the_program(tmp_path: Path) -> None:
    wheel = wheel_of(tmp_path)
    archive = krew.archive(ROOT, wheel, EPOCH)
    assert krew.archive(ROOT, wheel, EPOCH) == archive
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        modes = {member.name: member.mode for member in tar.getmembers()}
    assert modes.pop(krew.PROGRAM) == 0o755
    assert modes == dict.fromkeys((wheel.name, "constraints.txt", "LICENSE"), 420)


def test_the_first_call_installs_and_each_runs_the_plugin(tmp_path: Path) -> None:
    program, cache = unpacked(tmp_path), tmp_path / "cache"
    link = tmp_path / "kubectl-headrace"
    link.symlink_to(program)  # as krew puts it on the PATH
    first = call(link, cache, "status", "flights")
    assert (first.returncode, first.stdout) == (3, "status flights\n"), first.stderr
    assert first.stderr == "kubectl headrace: installing its Python packages, once\n"
    again = call(link, cache, "top")
    assert (again.returncode, again.stdout, again.stderr) == (3, "top\n", "")
    (python,) = cache.glob("headrace/*/bin/python")
    python.unlink()
    python.symlink_to(tmp_path / "a Python that is gone")
    assert call(link, cache, "top").stdout == "top\n"


def test_what_cannot_be_installed_is_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    program, cache = unpacked(tmp_path, "no-such-package-of-ours"), tmp_path / "cache"
    done = call(program, cache, "top")
    assert done.returncode == 1
    assert re.search(r"\nkubectl headrace: pip could not install its packages; set", done.stderr)
    assert list((cache / "headrace").iterdir()) == []
