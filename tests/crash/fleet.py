"""The workers of a crash run: real `headrace worker` processes, started, stopped and killed."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.crash.progress import Life
from tests.crash.worker_log import first_defect

DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL")
EXPECTED = (0, -signal.SIGKILL, -signal.SIGTERM)
"""Of a worker told to end; SIGTERM may strike before it is handled."""
MAIN = "from headrace.cli import main; main()"
REFUSED = 2
"""The code of a worker whose lifespan failed at its start, or at its end after good work."""
ANNOUNCED = re.compile(r"consumer (\S+) of group")
SERVED = re.compile(r"probes on port (\d+)")


@dataclass
class Worker:
    """One process. `pod` is its HEADRACE_POD, the stem of its consumer's name."""

    pod: str
    process: subprocess.Popen[bytes]
    stopped: bool = False
    """SIGSTOPped and not continued yet."""
    log: Path = Path("/dev/null")
    lifespan: str = ""
    life: Life | None = None
    announced_at: float | None = None
    """Monotonic seconds at which it was first seen to have announced its consumer."""

    def said(self, words: re.Pattern[str]) -> str | None:
        """What its log says in the place of the pattern's group."""
        found = words.search(self.log.read_text(errors="replace"))
        return found[1] if found else None

    @property
    def handles(self) -> bool:
        """It has announced its consumer, and its lifespan's start is over and did not fail."""
        if self.announced_at is None and self.log.stat().st_size:
            self.announced_at = time.monotonic()
        how, _, seconds = self.lifespan.partition(" ")
        if self.announced_at is None or how == "fails":
            return False
        return time.monotonic() - self.announced_at >= float(seconds)

    @property
    def may_refuse(self) -> bool:
        return self.lifespan.startswith("fails")


class Fleet:
    """Starts workers with one configuration; knows when it killed which."""

    def __init__(
        self,
        directory: Path,
        environment: dict[str, str],
        lifespans: Sequence[str] = ("short 0",),
        seed: int = 0,
    ) -> None:
        """`lifespans`: what each process draws its own from; see `handlers`."""
        self.directory = directory
        self.environment = environment
        self.lifespans = lifespans
        self.lives: list[Life] = []
        self.workers: list[Worker] = []
        self.deaths: dict[str, list[float]] = {}
        """Pod -> Unix seconds of each SIGKILL to a process of it."""
        self.exits: list[str] = []
        """Workers that ended by themselves, or with another code than they should have."""
        self.retired: list[Worker] = []
        self._number = 0
        self._random = random.Random(f"fleet/{seed}")
        self._lifespans_left: list[str] = []

    def start(self, pod: str | None = None) -> Worker:
        """Start a worker in a new pod, or in the pod of one that died (a container restart)."""
        self._number += 1
        lifespan = self._next_lifespan()
        name = pod or f"pod{self._number}"
        log = self.directory / f"{name}-{self._number}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*DIES_WITH_US, sys.executable, "-c", MAIN, "worker", "--port", "0"],
                env={
                    **os.environ,
                    **self.environment,
                    "HEADRACE_POD": name,
                    "CRASH_LIFESPAN": lifespan,
                },
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        worker = Worker(name, process, log=log, lifespan=lifespan)
        self.workers.append(worker)
        return worker

    def _next_lifespan(self) -> str:
        """Each of them once, in any order, before one comes again."""
        if not self._lifespans_left:
            left = list(self.lifespans)
            self._random.shuffle(left)
            self._lifespans_left = left
        return self._lifespans_left.pop()

    @property
    def running(self) -> list[Worker]:
        """Those that neither ended nor are SIGSTOPped."""
        return [w for w in self.workers if not w.stopped and w.process.poll() is None]

    @property
    def at_work(self) -> list[Worker]:
        """Running ones that handle events, or may: what faults strike."""
        return [worker for worker in self.running if worker.handles]

    def wait_at_work(self, count: int, seconds: float = 30.0) -> bool:
        """Wait until so many are at work; False when that takes too long."""
        deadline = time.monotonic() + seconds
        while len(self.at_work) < count:
            if time.monotonic() > deadline:
                return False
            self.replace_ended()
            time.sleep(0.02)
        return True

    def kill(self, worker: Worker) -> None:
        self.deaths.setdefault(worker.pod, []).append(time.time())
        worker.process.kill()
        worker.process.wait()
        self.workers.remove(worker)
        self._rest(worker)

    def pause(self, worker: Worker) -> None:
        worker.stopped = True
        self._rest(worker)
        worker.process.send_signal(signal.SIGSTOP)

    def resume(self, worker: Worker) -> None:
        worker.stopped = False
        with contextlib.suppress(ProcessLookupError):
            worker.process.send_signal(signal.SIGCONT)

    def terminate(self, worker: Worker) -> None:
        """SIGTERM, without waiting; `reap` collects it."""
        self._rest(worker)
        worker.process.terminate()
        self.workers.remove(worker)
        self.retired.append(worker)

    def note_lives(self) -> None:
        """Begin the life of each worker that has announced itself; called many times a second."""
        for worker in self.running:
            if worker.life is None and (consumer := worker.said(ANNOUNCED)):
                worker.life = Life(consumer, time.time())
                self.lives.append(worker.life)

    @staticmethod
    def _rest(worker: Worker) -> None:
        if worker.life is not None:
            worker.life.ended = time.time()
            worker.life = None

    def replace_ended(self) -> None:
        """Restart what ended by itself, as a kubelet would; it should not have."""
        for worker in [w for w in self.workers if w.process.poll() is not None]:
            if not (worker.may_refuse and worker.process.returncode == REFUSED):
                self.exits.append(f"{worker.pod} ended by itself with {worker.process.returncode}")
            self._rest(worker)
            self.workers.remove(worker)
            self.start(worker.pod)

    def trim(self, config: str) -> None:
        """Run `headrace trim` once, straight to the server."""
        self._command(["trim"], {"HEADRACE_TRIM": config})

    def ask_backlog(self, url: str, stream: str) -> None:
        """Run `headrace backlog` once, as the operator asks each second."""
        self._command(["backlog", "--url", url, stream], {})

    def _command(self, words: Sequence[str], environment: dict[str, str]) -> None:
        subprocess.run(
            [*DIES_WITH_US, sys.executable, "-c", MAIN, *words],
            env={**os.environ, **self.environment, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )

    def said(self) -> list[str]:
        """The first defect of each worker's log that tells one."""
        found = []
        for log in sorted(self.directory.glob("*.log")):
            if defect := first_defect(log.read_text(errors="replace")):
                found.append(f"{log.name}: {defect}")
        return found

    def ignored_time_outs(self) -> list[str]:
        """Lines about handlers that did not end when they were told to."""
        return [
            f"{log.name}: {line[:300]}"
            for log in sorted(self.directory.glob("*.log"))
            for line in log.read_text(errors="replace").splitlines()
            if "ignored its time-out" in line
        ]

    def shut(self, seconds: float) -> list[str]:
        """SIGTERM to all; the pods that did not end in time (they are killed)."""
        for worker in list(self.workers):
            if worker.stopped:
                self.resume(worker)
            self.terminate(worker)
        deadline = time.monotonic() + seconds
        late = []
        for worker in self.retired:
            try:
                worker.process.wait(max(0.05, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                late.append(worker.pod)
                worker.process.kill()
                worker.process.wait()
            if worker.process.returncode not in EXPECTED and not worker.may_refuse:
                self.exits.append(f"{worker.pod} ended with {worker.process.returncode}")
        return late

    def kill_all(self) -> None:
        """What an aborted run must not leave behind."""
        for worker in [*self.workers, *self.retired]:
            if worker.process.poll() is None:
                worker.process.kill()
                worker.process.wait()
