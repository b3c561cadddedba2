"""Which image a Dockerfile starts from, and what stands in for it, is read from text."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cluster import cached, paths
from tests.cluster.images import archive, build, catalogue, debian, dockerfile


def test_bases_are_public_images_and_not_the_files_own_stages() -> None:
    text = """
    ARG PYTHON=docker.io/library/python:3.13-slim
    FROM --platform=linux/amd64 ${PYTHON} AS build
    ARG PYTHON=not-this
    FROM redis:8
    COPY --from=build /a /a
    FROM build
    FROM scratch
    """
    assert dockerfile.bases(text) == [
        "docker.io/library/python:3.13-slim",
        "docker.io/library/redis:8",
    ]


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("redis", "docker.io/library/redis:latest"),
        ("valkey/valkey:8", "docker.io/valkey/valkey:8"),
        ("ghcr.io/a/b:1", "ghcr.io/a/b:1"),
        ("localhost:5000/a", "localhost:5000/a:latest"),
        ("a@sha256:00", "docker.io/library/a@sha256:00"),
    ],
)
def test_short_names_are_spelt_out(short: str, full: str) -> None:
    assert dockerfile.full_name(short) == full


@pytest.mark.parametrize("tag", ["3", "3.13", "3.13-slim", "3.13-slim-trixie"])
def test_a_tag_that_leaves_the_version_open_is_replaced(tag: str) -> None:
    assert catalogue.substitute(f"docker.io/library/python:{tag}")


@pytest.mark.parametrize(
    "reference",
    ["docker.io/library/python:3.12-slim", "docker.io/library/redis:7", "ghcr.io/a/b:8"],
)
def test_another_version_or_image_is_not_replaced(reference: str) -> None:
    assert catalogue.substitute(reference) is None


@pytest.mark.parametrize("file", ["worker_image/Dockerfile", "operator/Dockerfile"])
def test_the_projects_own_images_can_be_built_without_a_registry(file: str) -> None:
    bases = dockerfile.bases((paths.CHECKOUT / file).read_text())
    assert bases
    assert all(catalogue.substitute(base) for base in bases)


def test_a_build_learns_the_package_index_and_nothing_else_of_the_machine() -> None:
    config = "global.index-url='https://pypi.example/simple'\nglobal.proxy='http://u:secret@p'\n"
    settings = build.pip_settings(config, certificates=False)
    assert settings == "[global]\nindex-url = https://pypi.example/simple\n"


def test_the_mirror_is_the_one_of_debians_main_archive() -> None:
    targets = (
        "http://mirror.example/debian-security/ Debian bookworm-security main\n"
        "http://mirror.example/debian/ Debian bookworm main\n"
    )
    assert debian.chosen_mirror(targets) == "http://mirror.example/debian"
    assert debian.chosen_mirror("http://archive.ubuntu.com/ubuntu/ Ubuntu noble main\n") is None


def test_an_archive_of_the_same_program_has_the_same_bytes(tmp_path: Path) -> None:
    program = tmp_path / "pause"
    program.write_bytes(b"\x7fELF")
    for target in ("one.tar", "two.tar"):
        archive.write(tmp_path / target, program=program, tag="docker.io/library/pause:1")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


def test_a_digest_tells_where_one_part_ends() -> None:
    assert cached.digest(["ab", "c"]) != cached.digest(["a", "bc"])
    assert cached.digest(["ab", "c"]) == cached.digest([b"ab", b"c"])


def test_a_thing_is_made_once_and_a_failure_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calls: list[Path] = []

    def fail(target: Path) -> None:
        target.write_text("half")
        raise OSError

    def make(target: Path) -> None:
        calls.append(target)
        target.write_text("whole")

    with pytest.raises(OSError, match=r"^$"):
        cached.file("things", "thing", ["1"], fail)
    made = [cached.file("things", "thing", ["1"], make) for _ in range(2)]
    assert made[0] == made[1]
    assert made[0].read_text() == "whole"
    assert len(calls) == 1
