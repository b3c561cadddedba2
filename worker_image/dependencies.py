"""Print what pyproject.toml depends on, a requirement per line; extras are given as arguments.

The Dockerfiles install it as a layer of its own, so that a change of the code fetches nothing anew.
"""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
extras = [project["optional-dependencies"][name] for name in sys.argv[1:]]
for requirement in sum(extras, project["dependencies"]):
    print(requirement)  # noqa: T201
