"""The plugin for krew: the manifest as krew-index takes it, and an archive that works."""

import hashlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from make import krew
from tests.support.waiting import eventually_sync

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


def call(
    program: Path, cache: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(program), *arguments],
        env={**os.environ, "XDG_CACHE_HOME": str(cache), "PIP_NO_INDEX": "1", **environment},
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
    assert modes == dict.fromkeys((wheel.name, "launcher.py", "constraints.txt", "LICENSE"), 420)


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
    log = cache / "headrace" / "install.log"
    assert done.returncode == 1
    said = "pip could not install its packages: Could not find a version that satisfies the"
    assert re.fullmatch(f"kubectl headrace: {said} .*[(]all of it: {log}[)]", last_of(done))
    assert list(log.parent.iterdir()) == [log]
    away = {"PIP_NO_INDEX": "0", "PIP_INDEX_URL": "http://127.0.0.1:1/", "PIP_RETRIES": "1"}
    done = call(program, cache, "top", **away)
    assert done.returncode == 1
    assert "pip cannot reach PyPI; set HTTPS_PROXY, or PIP_INDEX_URL for a mirror" in last_of(done)
    assert "refused" in log.read_text()


def last_of(done: subprocess.CompletedProcess[str]) -> str:
    """The sentence, behind the line that something is being installed."""
    _, sentence = done.stderr.splitlines()
    return sentence


def test_a_python_without_venv_is_told_which_package_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "venv.py").write_text("raise SystemExit(1)\n")
    done = call(unpacked(tmp_path), tmp_path / "cache", PYTHONPATH=str(tmp_path))
    package = "python{}.{}-venv".format(*sys.version_info)
    assert done.returncode == 1
    assert f"on Debian and Ubuntu install {package} (all of it: {tmp_path}" in last_of(done)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    done = call(unpacked(tmp_path), tmp_path / "cache")
    told = f"kubectl headrace: cannot write to {tmp_path}/cache/headrace: Not a directory;"
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{told} name another place in XDG_CACHE_HOME\n"


def programs(folder: Path, **pythons: str) -> str:
    """A PATH with these Pythons and no other; a Python is the body of a shell script."""
    folder.mkdir()
    for tool in ("sh", "dirname", "readlink"):
        (folder / tool).symlink_to(str(shutil.which(tool)))
    for name, body in pythons.items():
        (folder / name.replace("_", ".")).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name.replace("_", ".")).chmod(0o755)
    return str(folder)


def test_without_a_python_that_is_new_enough_it_says_what_to_install(tmp_path: Path) -> None:
    program, cache = unpacked(tmp_path), tmp_path / "cache"
    for path in (programs(tmp_path / "none"), programs(tmp_path / "old", python3="exit 1")):
        done = call(program, cache, "status", PATH=path)
        assert (done.returncode, done.stdout) == (1, "")
        (told,) = done.stderr.splitlines()
        assert told.startswith("kubectl headrace: it needs Python 3.11 or newer, and found none")
    assert not cache.exists()


def test_a_new_python_beside_an_old_python3_is_found(tmp_path: Path) -> None:
    new = f'exec {sys.executable} "$@"'
    path = programs(tmp_path / "both", python3="exit 1", python3_12=new)
    done = call(unpacked(tmp_path), tmp_path / "cache", "a b", PATH=path)
    assert (done.returncode, done.stdout) == (3, "a b\n"), done.stderr


def test_ctrl_c_ends_the_installation_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "venv.py").write_text("print('begun', flush=True)\nwhile True: pass\n")
    log = tmp_path / "headrace" / "install.log"
    process = subprocess.Popen(
        [str(unpacked(tmp_path))],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(tmp_path)},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    eventually_sync(lambda: log.exists() and "begun" in log.read_text())
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert (process.returncode, b"Traceback" in told) == (130, False)
    assert list(log.parent.iterdir()) == [log]
