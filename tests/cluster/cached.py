"""Makes a thing once and keeps it in the cache, by a digest of all that it is made from."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster import paths

Make = Callable[[Path], None]


def digest(made_from: Iterable[str | bytes]) -> str:
    """16 hexadecimal digits that change with any of the parts, or with where one ends."""
    whole = hashlib.sha256()
    for part in made_from:
        content = part.encode() if isinstance(part, str) else part
        whole.update(f"{len(content)}:".encode() + content)
    return whole.hexdigest()[:16]


def file(kind: str, name: str, made_from: Iterable[str | bytes], make: Make) -> Path:
    """The file `name` of this kind; `make` writes it to the path it gets, or raises."""
    target = paths.cache() / kind / f"{name}-{digest(made_from)}" / name
    return _once(target, lambda unfinished: make(unfinished / name), target.parent)


def directory(name: str, made_from: Iterable[str | bytes], make: Make) -> Path:
    """The directory `name`; `make` fills the one it gets, or raises."""
    target = paths.cache() / "roots" / f"{name}-{digest(made_from)}"
    return _once(target, make, target)


def _once(target: Path, make: Make, whole: Path) -> Path:
    if target.exists():
        return target
    with _locked(whole.parent, whole.name):
        if target.exists():
            return target
        print(f"Making {whole.name} ...", file=sys.stderr, flush=True)
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(dir=whole.parent) as unfinished:
            made = Path(unfinished) / "made"
            made.mkdir()
            make(made)
            made.chmod(0o755)
            shutil.rmtree(whole, ignore_errors=True)
            made.rename(whole)
        print(f"Made {whole.name} in {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    return target


@contextmanager
def _locked(parent: Path, name: str) -> Iterator[None]:
    parent.mkdir(parents=True, exist_ok=True)
    with (parent / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
