"""The worker beside a raw redis-py loop, FastStream, taskiq-redis, arq and the article's loop.

    python -m bench.worker                 every figure but the long ones
    python -m bench.worker --long          10 million events, and several processes
    python -m bench.worker --guard         seconds: single and batch beside raw, for CI
    python -m bench.worker --topologies    a Cluster beside one server, and commits on a replica

One server, interleaved rounds. A figure is a ratio to the raw loop of its own round and payload:
median, and the spread over the rounds. The last line reads name=value. Exits 1 below a bound.
"""

from __future__ import annotations

import argparse
import sys

from bench.worker import figures, topologies
from bench.worker.bench import Bench
from bench.worker.report import GUARD, Report
from bench.worker.server import server


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--server", default="redis-server")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--guard", action="store_true")
    parser.add_argument("--topologies", action="store_true")
    options = parser.parse_args()
    report = Report()
    with server(options.server) as port:
        bench = Bench(port, report)
        if options.guard:
            figures.guard(bench)
            return report.end(GUARD, best=True)
        if options.topologies:
            topologies.clustered(bench, options.events, options.rounds, options.server)
            topologies.replicated(bench, options.events, options.rounds, options.server)
            return report.end()
        if options.long:
            figures.several(bench, 200_000, 3)
            figures.memory(bench, 10_000_000)
        else:
            figures.rounds(bench, options.events, options.rounds)
            figures.waiting(bench, 3)
            figures.latencies(bench, 3, 3_000)
            topologies.clustered(bench, options.events, options.rounds, options.server)
            topologies.replicated(bench, options.events, options.rounds, options.server)
            figures.idle(bench, 15.0)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
