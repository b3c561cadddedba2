"""What happens while the flights come in: send, watch, kill a worker, wait for the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import redis
from examples.flights.demo.commands import CommandFailed, Kubectl
from examples.flights.demo.data import payloads
from examples.flights.demo.figures import GROUPS, Figures, Workers, read_figures, read_workers
from examples.flights.demo.screen import Screen
from examples.flights.demo.send import Sender

STALLED_AFTER = 120.0
LOOK_EVERY = 0.5
WORKERS_EVERY = 2.0


@dataclass(slots=True)
class Observed:
    """What a run looked like. Times in seconds."""

    sending: float = 0.0
    settling: float = 0.0
    killed: str = ""
    most_workers: dict[str, int] = field(default_factory=lambda: dict.fromkeys(GROUPS, 0))


def play(
    connect: Callable[[], redis.Redis],
    kubectl: Kubectl,
    csv: Path,
    screen: Screen,
    *,
    total: int,
    kill: Callable[[str], None],
) -> Observed:
    """Send the first `total` events and return when every group has settled them all.

    `kill(pod)` is called once, for a worker of the first group, when half of its events are
    settled. Raises CommandFailed when nothing moves for STALLED_AFTER seconds.
    """
    observed = Observed()
    started = moved = time.monotonic()
    workers: dict[str, Workers] = {}
    looked_at_workers = 0.0
    last = Figures()
    sender = Sender(connect(), payloads(csv, total))
    client = connect()
    sender.start()
    try:
        while True:
            now = time.monotonic()
            figures = read_figures(client)
            if now - looked_at_workers >= WORKERS_EVERY:
                workers, looked_at_workers = read_workers(kubectl), now
                for name, worker in workers.items():
                    observed.most_workers[name] = max(observed.most_workers[name], worker.ready)
            screen.update(sender.sent, figures, workers)
            if not sender.is_alive() and not observed.sending:
                if sender.error is not None:
                    raise CommandFailed(f"sending failed: {sender.error}")
                observed.sending = now - started
            if figures != last:
                last, moved = figures, now
            elif now - moved > STALLED_AFTER:
                raise CommandFailed(f"nothing has moved for {STALLED_AFTER:.0f} s: {figures}")
            if not observed.killed and _halfway(figures, total):
                observed.killed = _one_pod(kubectl)
                if observed.killed:
                    screen.say(f"killing a worker (SIGKILL): {observed.killed}")
                    kill(observed.killed)
            if figures.length >= total and figures.settled(total):
                observed.settling = now - started
                screen.update(sender.sent, figures, read_workers(kubectl), force=True)
                return observed
            time.sleep(LOOK_EVERY)
    finally:
        sender.stop()


def _halfway(figures: Figures, total: int) -> bool:
    group = figures.groups.get(GROUPS[0])
    return group is not None and group.settled > total / 2


def _one_pod(kubectl: Kubectl) -> str:
    """A ready worker pod of the first group, or "" when there is none at this moment."""
    found = kubectl.get("pods", "-l", f"headrace.dev/group={GROUPS[0]}")
    for pod in found["items"]:
        statuses = pod["status"].get("containerStatuses", ())
        if statuses and all(status["ready"] for status in statuses):
            return str(pod["metadata"]["name"])
    return ""
