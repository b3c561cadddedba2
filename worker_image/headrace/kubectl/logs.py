"""`kubectl headrace logs`: all workers of a pipeline at once."""

from __future__ import annotations

from headrace.cli.exits import FAILED, refuse
from headrace.kubectl.pipelines import check_group, pipeline_of, worker_selector
from headrace.kubectl.program import Kubectl
from headrace_api.mounts import CONTAINER_NAME

MAX_PODS = 100
"""kubectl refuses more than 5 unless it is told."""


def run_logs(
    kubectl: Kubectl, name: str, group: str | None, follow: bool, tail: int, since: str | None
) -> None:
    check_group(pipeline_of(kubectl, name), group)
    selector = worker_selector(name, group)
    if not kubectl.items("pods", "--selector", selector):
        refuse(f"no worker of {name} runs now; see kubectl headrace status {name}", FAILED)
    words = ["--selector", selector, "--container", CONTAINER_NAME, "--prefix", f"--tail={tail}"]
    words += ["--follow"] if follow else []
    words += [f"--since={since}"] if since is not None else []
    kubectl.become("logs", *words, f"--max-log-requests={MAX_PODS}")
