"""Files of a release that are made here, and made the same each time: archives without the time of
their making, the recipe of the images, checksums, the statement of where all of it comes from.
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

REPOSITORY = "https://github.com/headrace/headrace"
PLATFORMS = ["linux/amd64", "linux/arm64"]
IMAGES = {"operator": "operator/Dockerfile", "worker": "worker_image/Dockerfile"}
CHECKSUMS = "SHA256SUMS"
PROVENANCE = "provenance.intoto.json"
LAYERS = "image-layers.json"


def repacked(archive: bytes, epoch: int) -> bytes:
    """A .tgz with the same files in order of name, all of one time and nobody's."""
    packed = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as source,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as target,
    ):
        for member in sorted(source.getmembers(), key=lambda one: one.name):
            content = source.extractfile(member)
            clean = tarfile.TarInfo(member.name)
            clean.size, clean.mtime, clean.type = member.size, epoch, member.type
            clean.mode = 0o755 if member.isdir() else 0o644
            target.addfile(clean, content)
    return gzip.compress(packed.getvalue(), mtime=epoch)


def packed(
    files: Mapping[str, str | bytes], epoch: int, *, executable: Collection[str] = ()
) -> bytes:
    """A .tgz of files by path; the same contents make the same bytes."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.PAX_FORMAT) as target:
        for name, given in sorted(files.items()):
            content = given.encode() if isinstance(given, str) else given
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), epoch
            member.mode = 0o755 if name in executable else 0o644
            target.addfile(member, io.BytesIO(content))
    return gzip.compress(written.getvalue(), mtime=epoch)


def bake_file(version: str, commit: str, epoch: int) -> dict[str, Any]:
    """The images, for `docker buildx bake`: both platforms, with provenance and SBOM attached."""
    labels = {
        "org.opencontainers.image.source": REPOSITORY,
        "org.opencontainers.image.revision": commit,
        "org.opencontainers.image.version": version,
    }
    targets = {
        name: {
            "context": ".",
            "dockerfile": dockerfile,
            "platforms": PLATFORMS,
            "tags": [f"ghcr.io/headrace/{name}:{version}"],
            "labels": labels,
            "args": {"SOURCE_DATE_EPOCH": str(epoch)},
            "attest": ["type=provenance,mode=max", "type=sbom"],
        }
        for name, dockerfile in IMAGES.items()
    }
    return {"group": {"default": {"targets": list(targets)}}, "target": targets}


def provenance(
    digests: dict[str, str], version: str, commit: str, builder: str, materials: dict[str, str]
) -> dict[str, Any]:
    """An in-toto statement with SLSA's provenance v1. `digests` and `materials`: name -> sha256."""
    source = {"uri": f"git+{REPOSITORY}", "digest": {"gitCommit": commit}}
    resolved = [{"name": name, "digest": {"sha256": one}} for name, one in materials.items()]
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": name, "digest": {"sha256": one}} for name, one in sorted(digests.items())
        ],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": f"{REPOSITORY}/blob/main/make/release.py",
                "externalParameters": {"version": version},
                "resolvedDependencies": [source, *resolved],
            },
            "runDetails": {"builder": {"id": builder}},
        },
    }


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def digests_of(folder: Path) -> dict[str, str]:
    """Path below the folder -> sha256, without the checksums themselves."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != CHECKSUMS)
    return {str(path.relative_to(folder)): sha256_of(path) for path in files}


def checksums(digests: dict[str, str]) -> str:
    """As `sha256sum --check` reads them."""
    return "".join(f"{digest}  {name}\n" for name, digest in digests.items())


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
