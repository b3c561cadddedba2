"""An image's bill of materials names what is installed in it, and is the same each time."""

from __future__ import annotations

import hashlib
import io
import json
import py_compile
import tarfile
from collections.abc import Mapping
from pathlib import Path
from py_compile import PycInvalidationMode

import pytest
from make import image_bill, image_contents
from make.image_contents import COMPILERS, LEFT_BEHIND, SHELLS, Contents

STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.41-12+deb13u1
Description: GNU C Library
 Package: of a description is none

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1:2.0
"""
METADATA = "Metadata-Version: 2.4\nName: Typing_Extensions\nVersion: 4.15.0\n"
LICENSED = "Name: redis\nVersion: 7.1.0\nLicense-Expression: MIT\n\nName: of the text\n"
SITE = "opt/headrace/lib/python3.13/site-packages"


def tar(files: Mapping[str, str | bytes]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for name, given in files.items():
            content = given.encode() if isinstance(given, str) else given
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return written.getvalue()


def image(folder: Path, *layers: Mapping[str, str | bytes]) -> Contents:
    """What is read of a docker archive of these layers."""
    file = folder / "image.tar"
    names = [f"{number}.tar" for number, _ in enumerate(layers)]
    with tarfile.open(file, "w") as archive:
        parts = {"manifest.json": json.dumps([{"Layers": names}]).encode()}
        parts |= {name: tar(layer) for name, layer in zip(names, layers, strict=True)}
        for name, content in parts.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return image_contents.read(file)


BASE = {image_contents.DPKG_STATUS: STATUS, "usr/bin/dash": "", "root/.cache/pip/a": ""}
OWN = {
    f"{SITE}/typing_extensions-4.15.0.dist-info/METADATA": METADATA,
    f"{SITE}/redis-7.1.0.dist-info/METADATA": LICENSED,
}


def test_it_names_what_dpkg_and_pip_have_installed(tmp_path: Path) -> None:
    made = image_bill.bill("worker", "0.1.0", image(tmp_path, BASE, OWN))
    assert [one["purl"] for one in made["components"]] == [
        "pkg:deb/debian/libc6@2.41-12%2Bdeb13u1?arch=amd64",
        "pkg:pypi/redis@7.1.0",
        "pkg:pypi/typing-extensions@4.15.0",
    ]
    assert made["components"][1]["licenses"] == [{"expression": "MIT"}]
    assert made["metadata"]["component"]["version"] == "0.1.0"


def test_equal_packages_make_an_equal_bill_however_they_are_layered(tmp_path: Path) -> None:
    one = image_bill.bill("worker", "0.1.0", image(tmp_path, BASE, OWN))
    turned = image(tmp_path, dict(reversed(OWN.items())), BASE)
    assert image_bill.bill("worker", "0.1.0", turned) == one
    other = image_bill.bill("worker", "0.1.0", image(tmp_path, OWN))
    assert other["serialNumber"] != one["serialNumber"]


def test_what_a_later_layer_removes_is_not_there(tmp_path: Path) -> None:
    redis = f"{SITE}/.wh.redis-7.1.0.dist-info"
    contents = image(tmp_path, BASE, OWN, {redis: "", "root/.cache/.wh..wh..opq": ""})
    assert not contents.matching(LEFT_BEHIND)
    assert [name for name in contents.texts if "redis" in name] == []
    assert len(contents.texts) == 2


@pytest.mark.parametrize(
    "file",
    [
        "usr/bin/gcc",
        "usr/bin/x86_64-linux-gnu-gcc-14",
        "usr/local/bin/cc",
        "usr/bin/make",
        "usr/bin/ld",
    ],
)
def test_a_compiler_is_told(file: str) -> None:
    assert COMPILERS.search(file)


@pytest.mark.parametrize(
    "file", ["usr/share/gcc/python", "etc/ssl/certs/cc450945.0", "usr/bin/ldd"]
)
def test_what_is_only_named_like_one_is_none(file: str) -> None:
    assert not COMPILERS.search(file)


def test_layers_are_told_by_the_digests_of_what_is_in_them(tmp_path: Path) -> None:
    layers = image(tmp_path, BASE, OWN).layers
    assert layers == tuple(
        f"sha256:{hashlib.sha256(tar(layer)).hexdigest()}" for layer in (BASE, OWN)
    )


def test_bytecode_that_a_change_of_file_times_makes_stale_is_told(tmp_path: Path) -> None:
    modes = {mode.name: mode for mode in PycInvalidationMode}
    (tmp_path / "a.py").write_text("a = 1")
    made: dict[str, str | bytes] = {}
    for name, mode in modes.items():
        file = tmp_path / f"{name}.pyc"
        py_compile.compile(str(tmp_path / "a.py"), str(file), invalidation_mode=mode)
        made[f"{SITE}/{file.name}"] = file.read_bytes()
    assert image(tmp_path, made).timed_bytecode == {f"{SITE}/TIMESTAMP.pyc"}
    removed = {f"{SITE}/.wh.TIMESTAMP.pyc": ""}
    assert image(tmp_path, made, removed).timed_bytecode == set()


def test_leftovers_and_shells_are_told() -> None:
    assert LEFT_BEHIND.search("root/.cache/pip/http/a")
    assert LEFT_BEHIND.search("wheels/headrace-0.1.0-py3-none-any.whl")
    assert not LEFT_BEHIND.search(f"{SITE}/headrace/streams/cache.py")
    assert SHELLS.search("usr/bin/dash")
