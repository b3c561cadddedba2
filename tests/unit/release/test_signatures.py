"""What was signed is taken; whatever is changed, added or taken away afterwards is refused."""

import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from make import release_files, signatures
from make.release_files import CHECKSUMS, PROVENANCE
from make.signatures import ENVELOPE, KEY, SIGNATURE


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A signed folder as a dry run leaves it."""
    folder = tmp_path / "release"
    (folder / "krew").mkdir(parents=True)
    (folder / "headrace-1.0.0.whl").write_bytes(b"wheel")
    (folder / "krew/headrace.yaml").write_text("version: 1")
    digests = release_files.digests_of(folder)
    statement = release_files.provenance(digests, "1.0.0", "c0ffee", "here", {})
    release_files.write_json(folder / PROVENANCE, statement)
    digests = release_files.digests_of(folder)
    (folder / CHECKSUMS).write_text(release_files.checksums(digests))
    signatures.sign(folder)
    return folder


def flip(path: Path, at: int = -2) -> None:
    """One bit."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_what_was_signed_is_taken_also_by_the_programs_that_people_have(release: Path) -> None:
    assert list(signatures.problems(release)) == []
    subprocess.run(["sha256sum", "--check", "--strict", CHECKSUMS], cwd=release, check=True)
    script = f"openssl dgst -sha256 -verify {KEY} -signature <(base64 -d {SIGNATURE}) {CHECKSUMS}"
    subprocess.run(["bash", "-c", script], cwd=release, check=True)


@pytest.mark.parametrize("name", ["headrace-1.0.0.whl", "krew/headrace.yaml", PROVENANCE])
def test_a_changed_bit_of_a_file_is_refused(release: Path, name: str) -> None:
    flip(release / name)
    assert f"{name} is not as {CHECKSUMS} has it" in signatures.problems(release)


def test_a_changed_list_is_refused_though_it_fits_the_files(release: Path) -> None:
    flip(release / "headrace-1.0.0.whl")
    digests = release_files.digests_of(release)
    digests = {name: one for name, one in digests.items() if name not in signatures.MADE}
    (release / CHECKSUMS).write_text(release_files.checksums(digests))
    assert list(signatures.problems(release)) == [
        f"{SIGNATURE} is no signature of {CHECKSUMS} by {KEY}"
    ]


def test_a_file_that_came_or_went_is_refused(release: Path) -> None:
    (release / "krew/headrace.yaml").rename(release / "krew/other.yaml")
    assert list(signatures.problems(release)) == [
        "krew/headrace.yaml is missing",
        f"krew/other.yaml is in no line of {CHECKSUMS}",
    ]


def rewritten(release: Path, change: Callable[[dict[str, object]], object]) -> None:
    envelope = json.loads((release / ENVELOPE).read_text())
    change(envelope)
    (release / ENVELOPE).write_text(json.dumps(envelope))


def test_a_statement_with_another_commit_is_refused(release: Path) -> None:
    other = (release / PROVENANCE).read_bytes().replace(b"c0ffee", b"c0ffed")
    rewritten(release, lambda envelope: envelope.update(payload=base64.b64encode(other).decode()))
    assert list(signatures.problems(release)) == [f"{ENVELOPE} is not signed by {KEY}"]


def test_a_signed_statement_of_another_release_is_refused(release: Path, tmp_path: Path) -> None:
    before = (release / PROVENANCE).read_bytes()
    (release / PROVENANCE).write_bytes(before.replace(b"c0ffee", b"c0ffed"))
    signatures.sign(release)
    (release / PROVENANCE).write_bytes(before)
    assert list(signatures.problems(release)) == [
        f"{ENVELOPE} holds another statement than {PROVENANCE}"
    ]


@pytest.mark.parametrize("signature", ["", "not base64", "AAAA"])
def test_what_is_no_signature_is_refused(release: Path, signature: str) -> None:
    (release / SIGNATURE).write_text(signature)
    assert f"{SIGNATURE} is no signature of {CHECKSUMS} by {KEY}" in signatures.problems(release)


def test_the_key_of_another_is_refused(release: Path, tmp_path: Path) -> None:
    before = (release / KEY).read_bytes()
    signature, envelope = (release / SIGNATURE).read_bytes(), (release / ENVELOPE).read_bytes()
    signatures.sign(release)
    assert (release / KEY).read_bytes() != before, "each time another key"
    (release / SIGNATURE).write_bytes(signature)
    (release / ENVELOPE).write_bytes(envelope)
    assert list(signatures.problems(release)) == [
        f"{SIGNATURE} is no signature of {CHECKSUMS} by {KEY}",
        f"{ENVELOPE} is not signed by {KEY}",
    ]


def test_the_command_says_what_is_wrong(release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert signatures.main([str(release), "--check"]) == 0
    flip(release / "headrace-1.0.0.whl")
    assert signatures.main([str(release), "--check"]) == 1
    assert "headrace-1.0.0.whl is not as" in capsys.readouterr().out


def test_no_private_key_is_left(release: Path) -> None:
    files = [path for path in release.rglob("*") if path.is_file()]
    assert not [path for path in files if b"PRIVATE" in path.read_bytes()]
