"""The plugin for krew, kubectl's plugin manager: an archive, and the manifest that points at it.

Format: https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/
"""

import hashlib
import re
from pathlib import Path
from typing import Any

import yaml
from make.release_files import REPOSITORY, packed

NAME, PROGRAM = "headrace", "kubectl-headrace"
FILES = Path("make/krew")
SYSTEMS = ["linux", "darwin"]
SHORT_DESCRIPTION = "Look after Redis Streams pipelines of Headrace"
_DESCRIPTION = """\
Says whether a Headrace pipeline is healthy, and if not, why; shows backlogs, entries and logs;
replays dead letters; collects what support would ask for. It runs kubectl itself, with your
context and your rights. Commands that need Redis run in a Job beside the workers.
"""
_CAVEATS = """\
Needs Python 3.11 or newer with venv, as python3 or under its own name, such as python3.12. The
first call installs the plugin's Python packages from PyPI, or from the index that pip is told to
use, into ~/.cache/headrace.
"""


def archive(source: Path, wheel: Path, epoch: int) -> bytes:
    """The program, the wheel that it installs with its pinned versions, and the licence."""
    files = {
        PROGRAM: (source / FILES / f"{PROGRAM}.sh").read_bytes(),
        "launcher.py": (source / FILES / "launcher.py").read_bytes(),
        wheel.name: wheel.read_bytes(),
        "constraints.txt": (source / "constraints.txt").read_bytes(),
        "LICENSE": (source / "LICENSE").read_bytes(),
    }
    return packed(files, epoch, executable=(PROGRAM,))


def archive_name(version: str) -> str:
    return f"{PROGRAM}-{version}.tar.gz"


def manifest(version: str, packed_plugin: bytes) -> dict[str, Any]:
    """What a pull request to krew-index adds as plugins/headrace.yaml."""
    return {
        "apiVersion": "krew.googlecontainertools.github.com/v1alpha2",
        "kind": "Plugin",
        "metadata": {"name": NAME},
        "spec": {
            "version": semantic(version),
            "homepage": REPOSITORY,
            "shortDescription": SHORT_DESCRIPTION,
            "description": _DESCRIPTION,
            "caveats": _CAVEATS,
            "platforms": [
                {
                    "selector": {
                        "matchExpressions": [{"key": "os", "operator": "In", "values": SYSTEMS}]
                    },
                    "uri": f"{REPOSITORY}/releases/download/v{version}/{archive_name(version)}",
                    "sha256": hashlib.sha256(packed_plugin).hexdigest(),
                    "bin": PROGRAM,
                }
            ],
        },
    }


def text(made: dict[str, Any]) -> str:
    """As YAML that people read: what has several lines keeps them."""
    return yaml.dump(made, Dumper=_Readable, sort_keys=False, width=100)


class _Readable(yaml.SafeDumper):
    pass


def _string(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Readable.add_representer(str, _string)


def semantic(version: str) -> str:
    """Python's 1.2.3rc1 as krew reads it: v1.2.3-rc.1."""
    return "v" + re.sub(r"(a|b|rc)(\d+)$", r"-\1.\2", version)
