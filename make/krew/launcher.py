"""kubectl headrace, as krew installs it: at its first call it installs the wheel that lies beside
it into an environment of its own, and from then on it runs that.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

HERE = Path(__file__).resolve().parent
INTERRUPTED = 130
LOG = "install.log"


def main() -> None:
    (wheel,) = HERE.glob("*.whl")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headrace"
    version, python = wheel.name.split("-")[1], "python{}.{}".format(*sys.version_info)
    home = cache / f"{version}-{python}"
    program = home / "bin" / "python"
    if not program.exists():  # also where the Python that it was made with is gone
        try:
            install(wheel, home, cache / LOG)
        except OSError as error:
            refuse(
                f"cannot write to {cache}: {error.strerror}; name another place in XDG_CACHE_HOME"
            )
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
    command = [str(program), "-m", "headrace.kubectl", *sys.argv[1:]]
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


def install(wheel: Path, home: Path, log: Path) -> None:
    """Elsewhere first, and then in one step to its place: another call may do the same."""
    home.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(home, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(dir=home.parent, prefix="new-"))
    sys.stderr.write("kubectl headrace: installing its Python packages, once\n")
    try:
        if run(log, sys.executable, "-m", "venv", folder):
            package = "python{}.{}-venv".format(*sys.version_info)
            refuse(f"it could not make an environment; on Debian and Ubuntu install {package}", log)
        pip = (folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check")
        if run(log, *pip, "install", "--quiet", "--constraint", HERE / "constraints.txt", wheel):
            refuse(why_pip_failed(log.read_text("utf-8", "replace")), log)
        try:
            folder.rename(home)
        except OSError:
            if not home.exists():
                raise
        log.unlink(missing_ok=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(log: Path, *command: object) -> int:
    """The exit code; what the command says goes into the log."""
    words = [str(word) for word in command]
    with log.open("w") as output:
        return subprocess.run(words, check=False, stdout=output, stderr=output).returncode


def why_pip_failed(said: str) -> str:
    if "connection broken by" in said or "Could not fetch URL" in said:
        return "pip cannot reach PyPI; set HTTPS_PROXY, or PIP_INDEX_URL for a mirror"
    errors = [line for line in said.splitlines() if line.startswith("ERROR: ")]
    why = errors[0].removeprefix("ERROR: ") if errors else "it says why in its log"
    return f"pip could not install its packages: {why}"


def refuse(sentence: str, log: Path | None = None) -> NoReturn:
    sys.exit(f"kubectl headrace: {sentence}" + (f" (all of it: {log})" if log else ""))


if __name__ == "__main__":
    main()
