"""Prints two tables: each fault of a connection, and each topology through what moves its primary.

python -m tests.connections                            # all of it
python -m tests.connections --kinds redis --fault NOAUTH
python -m tests.connections --table faults --seconds 600 --fault refused   # ten minutes of it
python -m tests.connections --table topologies --events 2000

Exit code 1 where an event was lost, or handled more often than it was delivered, where a worker did
not go on by itself, or said or used too much meanwhile.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.connections import failures, topologies
from tests.support.redis_servers import ALL_KINDS


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.connections",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--events", type=int, default=100_000, help="of each topology")
    parser.add_argument("--seconds", type=float, default=failures.SECONDS, help="of each fault")
    parser.add_argument("--kinds", nargs="*", default=list(ALL_KINDS), help="of server")
    parser.add_argument("--table", choices=("faults", "topologies"), help="default: both")
    parser.add_argument("--fault", nargs="*", default=[], help="names; default: all")
    parser.add_argument("--jobs", type=int, default=4, help="faults side by side")
    parser.add_argument("--logs", type=Path, help="write the worker's log of each fault here")
    told = parser.parse_args()
    wrong = 0
    if told.table != "topologies":
        wrong += failures.table(told.kinds, told.fault, told.seconds, told.jobs, told.logs)
    if told.table != "faults":
        wrong += topologies.table(told.kinds, told.fault, told.events)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
