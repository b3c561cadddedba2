"""The version stands in a few files; this says whether they agree, or sets it in all of them.

    python make/version.py            print it; exit 1 with a line for each place that differs
    python make/version.py 0.2.0      write it everywhere

The truth is `__version__` in worker_image/headrace/__init__.py: the wheel, the commands, the
default worker image and the local cluster's image names are made from it.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

VERSION = r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?"
TRUTH = ("worker_image/headrace/__init__.py", '__version__ = "{}"')
PLACES = [
    TRUTH,
    ("charts/headrace/Chart.yaml", "\nversion: {}"),
    ("charts/headrace/Chart.yaml", "\nappVersion: {}"),
    ("charts/pipeline/Chart.yaml", "\nversion: {}"),
    ("README.md", "ghcr.io/headrace/worker:{}"),
    ("README.md", "registry.example.com/headrace/operator:{}"),
    ("README.md", "registry.example.com/headrace/worker:{}"),
    ("docs/start/quickstart.md", "ghcr.io/headrace/operator:{}"),
    ("docs/start/quickstart.md", "ghcr.io/headrace/worker:{}"),
]


def found(root: Path, file: str, form: str) -> str:
    pattern = re.escape(form).replace(re.escape("{}"), f"({VERSION})")
    match = re.search(pattern, (root / file).read_text("utf-8"))
    if match is None:
        raise SystemExit(f"{file}: no version in the form {form.strip()!r}; mend make/version.py")
    return match[1]


def differing(root: Path) -> Iterator[str]:
    truth = found(root, *TRUTH)
    for file, form in PLACES:
        if (version := found(root, file, form)) != truth:
            yield f"{file}: {form.strip().format(version)}, but the version is {truth}"


def bump(root: Path, version: str) -> None:
    if not re.fullmatch(VERSION, version):
        raise SystemExit(f"{version!r} is no version: write it as 1.2.3 or 1.2.3rc1")
    for file, form in PLACES:
        path = root / file
        old = form.format(found(root, file, form))
        path.write_text(path.read_text("utf-8").replace(old, form.format(version)), "utf-8")


def main(arguments: list[str], root: Path = Path(__file__).parent.parent) -> int:
    if arguments:
        bump(root, arguments[0])
    wrong = list(differing(root))
    print(*wrong or [found(root, *TRUTH)], sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
