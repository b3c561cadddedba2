"""What is made from the models: `make crd` writes it, `make check` compares it."""

import argparse
import sys
from functools import partial
from pathlib import Path

from headrace_api import crd, json_schema, reference

FILES = {
    path: partial(text, resource)
    for resource in crd.RESOURCES
    for path, text in (
        (resource.path, crd.text),
        (json_schema.path_of(resource), json_schema.text),
        (reference.path_of(resource), reference.text),
    )
}


def outdated() -> list[Path]:
    """The files that are missing or are not what the models say."""
    return [
        path
        for path, text in FILES.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text()
    ]


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 when `--check` finds a file out of date."""
    parser = argparse.ArgumentParser(prog="python -m headrace_api.generated", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when outdated")
    check = parser.parse_args(arguments).check
    wrong = outdated()
    for path in wrong:
        if check:
            sys.stderr.write(f"{path.name} is not what the models say; run `make crd`\n")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(FILES[path](), encoding="utf-8")
    return int(check and bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
