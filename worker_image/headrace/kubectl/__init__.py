"""`kubectl headrace`: what a person on call asks of a pipeline, by kubectl and their own rights.

Nothing here talks to the API server itself. kubectl does, with the kubeconfig, the context and the
rights of whoever runs it. What needs Redis runs in a Job beside the workers.
"""

from __future__ import annotations

import sys

from headrace.kubectl.commands import app as app
from headrace.kubectl.program import Kubectl, split_options


def main() -> None:
    """The `kubectl-headrace` program, which kubectl finds on the PATH."""
    options, rest = split_options(sys.argv[1:])
    app(args=rest, obj=Kubectl(options), prog_name="kubectl headrace")
