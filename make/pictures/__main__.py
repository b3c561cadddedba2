"""Plays the demo beside a Prometheus, and writes what dashboards and screens showed of it.

    python -m make.pictures docs/pictures [--events 336776]

Needs what `make demo` needs. HEADRACE_KUBECONFIG takes a cluster that is there.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from examples.flights.demo import install
from examples.flights.demo.cluster import open_place
from examples.flights.demo.commands import CommandFailed, Kubectl
from examples.flights.demo.connection import open_client, read_password
from examples.flights.demo.data import flights_csv
from examples.flights.demo.screen import Screen
from examples.flights.demo.steps import play
from make.pictures import dashboard, scaling, terminal
from make.pictures.chart import NO_DATA
from make.pictures.scrape import Answers, api_server, scraping
from rich.console import Console

DASHBOARDS = Path(__file__).parents[2] / "charts/headrace/files/dashboards"
PIPELINE = "pipeline"
LARGEST = 300_000
"""Bytes of a picture."""
FLIGHTS = 336_776
AROUND = 10.0
"""Seconds before the first event and after the last worker that a picture shows."""
# A second pipeline whose Redis is not there: a fleet has such.
BROKEN = """
apiVersion: headrace.dev/v1alpha1
kind: StreamPipeline
metadata: {name: luggage}
spec:
  redis: {endpoints: ["nowhere:6379"]}
  stream: {name: luggage}
  groups:
  - name: belts
    worker: {handler: "handlers:app", codeConfigMapRef: {name: flights-handlers}}
"""
TOP = ("top", "--all-namespaces")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m make.pictures", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--events", type=int, default=FLIGHTS)
    given = parser.parse_args(arguments)
    console = Console(soft_wrap=True)
    place = open_place(console.print)
    kubectl = Kubectl(place.kubeconfig, "airport", place.kubectl)
    install.install_chart(kubectl, place.helm, place.values)
    install.fresh_namespace(kubectl)
    install.start_redis(kubectl)
    install.apply_pipeline(kubectl)
    kubectl("apply", "-f", "-", stdin=BROKEN)
    password = read_password(kubectl)
    with (
        tempfile.TemporaryDirectory() as directory,
        api_server(kubectl) as address,
        scraping(address, Path(directory)) as prometheus,
    ):
        wait_for("scraped", lambda: prometheus.query("headrace_operator_leader == 1"))
        wait_for("told", lambda: prometheus.query('headrace_pipeline_condition{status="False"}'))
        begin = time.time() + AROUND
        time.sleep(AROUND)  # a picture begins before the first event
        with (
            kubectl.port_forward("service/redis", 6379) as port,
            Screen(console, given.events) as screen,
            frames_of_top(kubectl) as frames,
        ):
            play(
                lambda: open_client(port, password),
                kubectl,
                flights_csv(),
                screen,
                total=given.events,
                kill=lambda pod: place.kill_worker(kubectl, pod),
            )
        busy = time.time()
        install.wait_for_no_workers(kubectl, timeout=120)
        span = (begin - AROUND, time.time() + AROUND)
        time.sleep(AROUND)  # and ends after the last worker
        answers = Answers(prometheus, span, instant=busy)
        given.out.mkdir(parents=True, exist_ok=True)
        for file in sorted(DASHBOARDS.glob("*.json")):
            content = json.loads(file.read_text("utf-8"))
            write(given.out / f"{file.stem}.svg", dashboard.drawn(content, answers, span))
            if file.stem == PIPELINE:
                course = scaling.course(content, given.events)
                write(given.out / "scaling.svg", dashboard.drawn(course, answers, span))
    shown = terminal.drawn(f"kubectl headrace {' '.join(TOP)}", frames[len(frames) // 2])
    write(given.out / "top.svg", shown)
    for file in sorted(given.out.glob("*.svg")):
        if empty := file.read_text("utf-8").count(NO_DATA):
            console.print(f"{file.name}: {empty} panels without data")
    console.print(f"The pictures are in {given.out}. {place.hint}", highlight=False)
    return 0


def write(file: Path, picture: str) -> None:
    """Raises CommandFailed where it is too large for a page."""
    if len(picture) > LARGEST:
        raise CommandFailed(f"{file.name} has {len(picture)} bytes: draw fewer points")
    file.write_text(picture, "utf-8")


def wait_for(what: str, answer: object, within: float = 60) -> None:
    """Until the question has an answer. Raises CommandFailed."""
    until = time.monotonic() + within
    while True:
        try:
            if answer():  # type: ignore[operator]
                return
        except OSError:
            pass  # it starts
        if time.monotonic() > until:
            raise CommandFailed(f"not {what} within {within:.0f} s")
        time.sleep(0.5)


@contextmanager
def frames_of_top(kubectl: Kubectl) -> Iterator[list[list[str]]]:
    """The screens that `kubectl headrace top` shows meanwhile; those with no rates yet left out."""
    frames: list[list[str]] = []
    path = f"{Path(kubectl.program).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "KUBECONFIG": str(kubectl.kubeconfig)}
    command = [sys.executable, "-m", "headrace.kubectl", *TOP]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:

        def read() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("NAMESPACE"):
                    frames.append([])
                if frames:
                    frames[-1].append(line.rstrip())

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            yield frames
        finally:
            process.terminate()
            reader.join(timeout=10)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
