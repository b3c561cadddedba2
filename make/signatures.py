"""Signatures over the files of a release, by a key that is made for them and then thrown away.

    python -m make.signatures dist/release            sign
    python -m make.signatures dist/release --check    exit 1, and say what is wrong

The dry run rehearses with them what the workflow does with its own identity: what is signed, and
that a changed file is refused. They say nothing of who signed. Two files hold them: a signature of
SHA256SUMS, which lists every file, and the statement of provenance in a DSSE envelope.
"""

import argparse
import base64
import binascii
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from make import release_files
from make.release_files import CHECKSUMS, PROVENANCE

KEY = "dry-run.pub"
SIGNATURE = f"{CHECKSUMS}.sig"
ENVELOPE = "provenance.dsse.json"
MADE = (KEY, SIGNATURE, ENVELOPE)
PAYLOAD_TYPE = "application/vnd.in-toto+json"


def sign(folder: Path) -> None:
    """Writes the signatures and the public key."""
    statement = (folder / PROVENANCE).read_bytes()
    with tempfile.TemporaryDirectory() as directory:
        key = Path(directory) / "key.pem"
        _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        _openssl("pkey", "-in", key, "-pubout", "-out", folder / KEY)
        of_checksums = _signed((folder / CHECKSUMS).read_bytes(), key)
        of_statement = _signed(_encoded(statement), key)
    (folder / SIGNATURE).write_text(of_checksums + "\n", "utf-8")
    envelope = {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(statement).decode(),
        "signatures": [{"sig": of_statement}],
    }
    release_files.write_json(folder / ENVELOPE, envelope)


def problems(folder: Path) -> Iterator[str]:
    """What is not as it was signed."""
    key = folder / KEY
    checksums = (folder / CHECKSUMS).read_bytes()
    if not _is_signed(checksums, (folder / SIGNATURE).read_text("utf-8"), key):
        yield f"{SIGNATURE} is no signature of {CHECKSUMS} by {KEY}"
    listed = {
        name: digest
        for digest, name in (line.split("  ", 1) for line in checksums.decode().splitlines())
    }
    there = release_files.digests_of(folder)
    for name in sorted(listed.keys() | there.keys() - set(MADE)):
        if name not in there:
            yield f"{name} is missing"
        elif name not in listed:
            yield f"{name} is in no line of {CHECKSUMS}"
        elif there[name] != listed[name]:
            yield f"{name} is not as {CHECKSUMS} has it"
    yield from _of_envelope(folder)


def _of_envelope(folder: Path) -> Iterator[str]:
    envelope: dict[str, Any] = json.loads((folder / ENVELOPE).read_text("utf-8"))
    statement = base64.b64decode(envelope["payload"])
    (signature,) = envelope["signatures"]
    if not _is_signed(_encoded(statement), signature["sig"], folder / KEY):
        yield f"{ENVELOPE} is not signed by {KEY}"
    elif statement != (folder / PROVENANCE).read_bytes():
        yield f"{ENVELOPE} holds another statement than {PROVENANCE}"


def _encoded(statement: bytes) -> bytes:
    """DSSE's pre-authentication encoding: the type is signed with the content."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(statement), statement)


def _signed(content: bytes, key: Path) -> str:
    made = _openssl("dgst", "-sha256", "-sign", key, given=content).stdout
    return base64.b64encode(made).decode()


def _is_signed(content: bytes, signature: str, key: Path) -> bool:
    try:
        raw = base64.b64decode(signature, validate=False)
    except binascii.Error:
        return False
    with tempfile.NamedTemporaryFile() as file:
        file.write(raw)
        file.flush()
        words = ("dgst", "-sha256", "-verify", key, "-signature", file.name)
        return _openssl(*words, given=content, check=False).returncode == 0


def _openssl(
    *words: object, given: bytes = b"", check: bool = True
) -> subprocess.CompletedProcess[bytes]:
    command = ["openssl", *map(str, words)]
    return subprocess.run(command, input=given, capture_output=True, check=check)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m make.signatures", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args(arguments)
    if not given.check:
        sign(given.folder)
    found = list(problems(given.folder))
    print(*found or [f"all files are as they were signed, by {given.folder / KEY}"], sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
