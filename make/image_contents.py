"""What an image holds: its files, read from a docker archive without starting anything."""

import hashlib
import json
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DPKG_STATUS = "var/lib/dpkg/status"
_METADATA = re.compile(r"[^/]+\.(dist-info/METADATA|egg-info/PKG-INFO)$")
_REMOVED = ".wh."
_ALL_REMOVED = ".wh..wh..opq"

# Nothing that compiles has a place in an image that runs, nor what a build leaves behind.
COMPILERS = re.compile(
    r"(^|/)s?bin/((\w+-linux-gnu-)?(gcc|cc|g\+\+|c\+\+|cpp|ld|as)(-[\d.]+)?"
    r"|[gc]?make|clang(-[\d.]+)?|go|cargo|rustc|meson|ninja)$"
)
# Debian's own Python brings the wheels that venv unpacks.
LEFT_BEHIND = re.compile(
    r"(^|/)\.cache/|^var/cache/pip(/|$)|^(src|wheels)/|^var/cache/apt/archives/.*\.deb$"
    r"|^(?!usr/share/python-wheels/).*\.whl$"
)
SHELLS = re.compile(r"(^|/)bin/(sh|bash|dash|ash|zsh|ksh|busybox)$")


@dataclass(frozen=True)
class Contents:
    """`files`: all paths, without a leading slash. `texts`: of the files that name packages.
    `layers`: the digest of each, from below. `timed_bytecode`: files of bytecode that Python takes
    for stale when its source has another time."""

    files: frozenset[str]
    texts: Mapping[str, str]
    layers: tuple[str, ...] = ()
    timed_bytecode: frozenset[str] = frozenset()

    def matching(self, pattern: re.Pattern[str]) -> list[str]:
        return sorted(file for file in self.files if pattern.search(file))


def read(archive: Path) -> Contents:
    """Layer upon layer, as a runtime would unpack them."""
    files: set[str] = set()
    texts: dict[str, str] = {}
    timed: set[str] = set()
    digests = []
    with tarfile.open(archive) as whole:
        for layer in json.loads(_text(whole, "manifest.json"))[0]["Layers"]:
            digests.append(f"sha256:{_digest(whole, layer)}")
            with tarfile.open(fileobj=whole.extractfile(layer)) as tar:
                here = {member.name.removeprefix("./"): member for member in tar.getmembers()}
                for gone in _removed_by(here):
                    kept = {file for file in files if file != gone and not _is_below(file, gone)}
                    texts = {file: text for file, text in texts.items() if file in kept}
                    files = kept
                for name, member in here.items():
                    if Path(name).name.startswith(_REMOVED) or member.isdir():
                        continue
                    files.add(name)
                    if name.endswith(".pyc") and member.isfile() and _is_timed(tar, member):
                        timed.add(name)
                    if member.isfile() and (name == DPKG_STATUS or _METADATA.search(name)):
                        texts[name] = _text(tar, member)
    return Contents(frozenset(files), texts, tuple(digests), frozenset(timed & files))


def _removed_by(members: Mapping[str, object]) -> list[str]:
    gone = []
    for path in map(Path, members):
        if path.name == _ALL_REMOVED:
            gone.append(str(path.parent))
        elif path.name.startswith(_REMOVED):
            gone.append(str(path.parent / path.name.removeprefix(_REMOVED)))
    return gone


def _digest(tar: tarfile.TarFile, layer: str) -> str:
    content = tar.extractfile(layer)
    assert content is not None
    digest = hashlib.sha256()
    while part := content.read(1 << 20):
        digest.update(part)
    return digest.hexdigest()


def _is_timed(tar: tarfile.TarFile, bytecode: tarfile.TarInfo) -> bool:
    """After the magic number stand the flags of PEP 552: the lowest is set where a hash counts."""
    content = tar.extractfile(bytecode)
    assert content is not None
    return not int.from_bytes(content.read(8)[4:], "little") & 1


def _is_below(file: str, folder: str) -> bool:
    return file.startswith(f"{folder}/")


def _text(tar: tarfile.TarFile, member: str | tarfile.TarInfo) -> str:
    content = tar.extractfile(member)
    assert content is not None
    return content.read().decode("utf-8", "replace")
