"""`make demo`: from nothing to 336,776 handled events, and the proof that none is missing."""

from __future__ import annotations

import sys
import time

from examples.flights.demo import install
from examples.flights.demo.cluster import open_place
from examples.flights.demo.commands import CommandFailed, Kubectl
from examples.flights.demo.comparison import prove
from examples.flights.demo.connection import open_client, read_password
from examples.flights.demo.data import flights_csv, truth
from examples.flights.demo.report import print_report
from examples.flights.demo.screen import Screen
from examples.flights.demo.steps import play
from rich.console import Console


def main() -> int:
    console = Console(soft_wrap=True)
    try:
        return demo(console)
    except (CommandFailed, RuntimeError) as error:
        console.print(f"[bold red]The demo stopped:[/] {error}", highlight=False)
        return 1


def demo(console: Console) -> int:
    times: dict[str, float] = {}
    began = last = time.monotonic()

    def done(what: str) -> None:
        nonlocal last
        now = time.monotonic()
        times[what], last = now - last, now
        console.print(f"[green]done[/] {what} ({times[what]:.1f} s)", highlight=False)

    csv = flights_csv()
    expected = truth(csv)
    done("flights of 2013 read")
    place = open_place(console.print)
    kubectl = Kubectl(place.kubeconfig, "airport", place.kubectl)
    done("Kubernetes is up and has the images")
    install.install_chart(kubectl, place.helm, place.values)
    done("Headrace is installed")
    install.fresh_namespace(kubectl)
    install.start_redis(kubectl)
    done("Redis is up")
    install.apply_pipeline(kubectl)
    done("StreamPipeline is Ready, at 0 workers")

    password = read_password(kubectl)
    with kubectl.port_forward("service/redis", 6379) as port:
        with Screen(console, expected.events) as screen:
            observed = play(
                lambda: open_client(port, password),
                kubectl,
                csv,
                screen,
                total=expected.events,
                kill=lambda pod: place.kill_worker(kubectl, pod),
            )
        done("events sent and settled")
        result = prove(open_client(port, password), expected)
    if not observed.killed:
        result.problems.append("no worker was there to be killed half-way")
    install.wait_for_no_workers(kubectl, timeout=120)
    done("workers are back at 0")
    times["all of it"] = time.monotonic() - began
    print_report(console, result, expected, times)
    most = ", ".join(f"{name} {count}" for name, count in observed.most_workers.items())
    console.print(f"Workers: from 0 up to {most}, and back to 0.", highlight=False)
    console.print(place.hint, highlight=False)
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
