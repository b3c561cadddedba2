"""The workers of a crash run: real `headrace worker` processes, started, stopped and killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

MAIN = "from headrace.cli import main; main()"


@dataclass
class Worker:
    """One process. `pod` is its HEADRACE_POD, the stem of its consumer's name."""

    pod: str
    process: subprocess.Popen[bytes]
    stopped: bool = False
    """SIGSTOPped and not continued yet."""
    log: Path = Path("/dev/null")


class Fleet:
    """Starts workers with one configuration; knows when it killed which."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self.directory = directory
        self.environment = environment
        self.workers: list[Worker] = []
        self.killed: dict[str, float] = {}
        """Pod -> Unix seconds of its SIGKILL."""
        self.retired: list[Worker] = []
        self._number = 0

    def start(self, pod: str | None = None) -> Worker:
        """Start a worker in a new pod, or in the pod of one that died (a container restart)."""
        self._number += 1
        name = pod or f"pod{self._number}"
        log = self.directory / f"{name}-{self._number}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-c", MAIN, "worker", "--port", "0"],
                env={**os.environ, **self.environment, "HEADRACE_POD": name},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        worker = Worker(name, process, log=log)
        self.workers.append(worker)
        return worker

    @property
    def running(self) -> list[Worker]:
        """Those that neither ended nor are SIGSTOPped."""
        return [w for w in self.workers if not w.stopped and w.process.poll() is None]

    @property
    def at_work(self) -> list[Worker]:
        """Running ones that have announced their consumer: what faults strike."""
        return [w for w in self.running if w.log.stat().st_size]

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
        self.killed[worker.pod] = time.time()
        worker.process.kill()
        worker.process.wait()
        self.workers.remove(worker)

    def pause(self, worker: Worker) -> None:
        worker.stopped = True
        worker.process.send_signal(signal.SIGSTOP)

    def resume(self, worker: Worker) -> None:
        worker.stopped = False
        with contextlib.suppress(ProcessLookupError):
            worker.process.send_signal(signal.SIGCONT)

    def terminate(self, worker: Worker) -> None:
        """SIGTERM, without waiting; `reap` collects it."""
        worker.process.terminate()
        self.workers.remove(worker)
        self.retired.append(worker)

    def replace_ended(self) -> list[int]:
        """Restart what ended by itself, as a kubelet would; their exit codes."""
        codes = []
        for worker in [w for w in self.workers if w.process.poll() is not None]:
            codes.append(worker.process.returncode)
            self.workers.remove(worker)
            self.start(worker.pod)
        return codes

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
        return late

    def kill_all(self) -> None:
        """What an aborted run must not leave behind."""
        for worker in [*self.workers, *self.retired]:
            if worker.process.poll() is None:
                worker.process.kill()
                worker.process.wait()
