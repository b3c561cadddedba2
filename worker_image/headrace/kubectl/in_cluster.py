"""Commands that need Redis: run in a Job beside the workers, their output brought back.

The Job is deleted at the end, also after Ctrl-C or SIGTERM. What a killed plugin leaves behind ends
by itself.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import typer

from headrace.cli.exits import FAILED, refuse
from headrace.kubectl.job import command_job
from headrace.kubectl.pipelines import group_names, pipeline_of
from headrace.kubectl.program import Kubectl, KubectlFailed, Manifest
from headrace.kubectl.screen import pod_trouble
from headrace_api.names import GROUP_LABEL, JOB_LABEL, PIPELINE_LABEL

START_SECONDS = 120.0
POLL_SECONDS = 0.3
SILENCE_SECONDS = 3.0
DEAD_COMMANDS = ("list", "show", "replay", "purge", "export")


class NotStarted(Exception):
    """There is nothing to run it in, or its pod did not begin; the message says why."""


def run_on_stream(kubectl: Kubectl, name: str, command: str, words: Sequence[str]) -> int:
    """`headrace <command> <stream> <words>`; its exit code."""
    pipeline = pipeline_of(kubectl, name)
    return run(kubectl, pipeline, [command, pipeline["spec"]["stream"]["name"], *words])


def run_dead(kubectl: Kubectl, name: str, command: str, words: Sequence[str]) -> int:
    """`headrace dead <command> <words>`; its exit code."""
    if command not in DEAD_COMMANDS:
        known = ", ".join(DEAD_COMMANDS)
        refuse(f"kubectl headrace dead knows {known}; write: dead list PIPELINE")
    return run(kubectl, pipeline_of(kubectl, name), ["dead", command, *words])


def run(kubectl: Kubectl, pipeline: Manifest, words: Sequence[str]) -> int:
    """Runs `headrace <words>` with the pipeline's configuration; its exit code."""
    try:
        with _running(kubectl, pipeline, words) as pod:
            kubectl.show("logs", "--follow", f"pod/{pod}")
            return _exit_code(kubectl, pod)
    except (KubectlFailed, NotStarted) as error:
        refuse(str(error), FAILED)


def output_of(kubectl: Kubectl, pipeline: Manifest, words: Sequence[str]) -> str:
    """What it prints; or why it did not run."""
    try:
        with _running(kubectl, pipeline, words) as pod:
            _exit_code(kubectl, pod)
            return kubectl.attempt("logs", f"pod/{pod}")
    except (KubectlFailed, NotStarted) as error:
        return f"{error}\n"


@contextmanager
def _running(kubectl: Kubectl, pipeline: Manifest, words: Sequence[str]) -> Iterator[str]:
    """The name of the pod that runs it. Raises KubectlFailed, NotStarted."""
    job = command_job(pipeline["metadata"]["name"], _template(kubectl, pipeline), words)
    with _ended_by_signals(), _created(kubectl, job) as name:
        yield _started(kubectl, name)


def _template(kubectl: Kubectl, pipeline: Manifest) -> Manifest:
    """Of a reclaim CronJob, which always holds Headrace, else of the workers."""
    name = pipeline["metadata"]["name"]
    of_pipeline = f"{PIPELINE_LABEL}={name},{GROUP_LABEL} in ({','.join(group_names(pipeline))})"
    for job in kubectl.items("cronjobs", "--selector", f"{of_pipeline},{JOB_LABEL}=reclaim"):
        template: Manifest = job["spec"]["jobTemplate"]["spec"]["template"]
        return template
    for deployment in kubectl.items("deployments", "--selector", of_pipeline):
        template = deployment["spec"]["template"]
        if template["spec"]["containers"][0].get("command") == ["headrace"]:
            return template
    raise NotStarted(f"pipeline {name} has no pod with Headrace in it; see its status")


@contextmanager
def _created(kubectl: Kubectl, job: Manifest) -> Iterator[str]:
    name = job["metadata"]["name"]
    try:
        kubectl("create", "-f", "-", stdin=json.dumps(job))
        yield name
    finally:
        kubectl.attempt("delete", "job", name, "--ignore-not-found", "--wait=false")


def _started(kubectl: Kubectl, job: str) -> str:
    """The name of its pod, once that has begun. Says why it has to wait."""
    began, shown = time.monotonic(), ""
    while True:
        pods = kubectl.items("pods", "--selector", f"batch.kubernetes.io/job-name={job}")
        if pods and (pods[0].get("status") or {}).get("phase") not in (None, "Pending"):
            return str(pods[0]["metadata"]["name"])
        waited = time.monotonic() - began
        why = pod_trouble(pods[0]) if pods else _why_no_pod(kubectl, job, waited)
        if waited > START_SECONDS:
            raise NotStarted(f"Job {job} did not start in {START_SECONDS:.0f} s: {why}")
        if waited > SILENCE_SECONDS and why != shown:
            shown = why
            typer.echo(f"waiting for Job {job}: {why or 'its pod is being started'}", err=True)
        time.sleep(POLL_SECONDS)


def _why_no_pod(kubectl: Kubectl, job: str, waited: float) -> str:
    if waited < SILENCE_SECONDS:
        return ""
    selector = f"involvedObject.kind=Job,involvedObject.name={job}"
    events = kubectl.items("events", "--field-selector", selector)
    return str(events[-1]["message"]) if events else "no pod yet"


def _exit_code(kubectl: Kubectl, pod: str) -> int:
    """The logs end a moment before the state is known."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        status = kubectl.get("pod", pod).get("status") or {}
        for container in status.get("containerStatuses") or ():
            ended = container["state"].get("terminated")
            if ended is not None:
                return int(ended["exitCode"])
        time.sleep(POLL_SECONDS)
    return FAILED


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM ends it as Ctrl-C does: the Job is deleted on the way out."""

    def end(number: int, _: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
