#!/usr/bin/env python3
"""kubectl headrace, as krew installs it: at its first call it installs the wheel that lies beside
it into an environment of its own, and from then on it runs that.

Also an old Python must read this file, to say that it is too old.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
NEEDS = (3, 11)


def main() -> None:
    if sys.version_info < NEEDS:
        sys.exit("kubectl headrace needs Python {}.{} or newer as python3".format(*NEEDS))
    (wheel,) = HERE.glob("*.whl")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    version, python = wheel.name.split("-")[1], "python{}.{}".format(*sys.version_info)
    home = cache / "headrace" / f"{version}-{python}"
    program = home / "bin" / "python"
    if not program.exists():  # also where the Python that it was made with is gone
        shutil.rmtree(home, ignore_errors=True)
        install(wheel, home)
    command = [str(program), "-m", "headrace.kubectl", *sys.argv[1:]]
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


def install(wheel: Path, home: Path) -> None:
    """Elsewhere first, and then in one step to its place: another call may do the same."""
    sys.stderr.write("kubectl headrace: installing its Python packages, once\n")
    home.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=str(home.parent), prefix="new-"))
    try:
        run(
            "it could not make an environment; is python3-venv there?",
            *(sys.executable, "-m", "venv", folder),
        )
        run(
            "pip could not install its packages; set PIP_INDEX_URL where PyPI cannot be reached",
            *(folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check"),
            *("install", "--quiet", "--constraint", HERE / "constraints.txt", wheel),
        )
        try:
            folder.rename(home)
        except OSError:
            if not home.exists():
                raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(failure: str, *command: object) -> None:
    words = [str(word) for word in command]
    done = subprocess.run(
        words, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        sys.stderr.write(done.stdout)
        sys.exit(f"kubectl headrace: {failure}")


if __name__ == "__main__":
    main()
