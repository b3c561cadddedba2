"""Bounds that do not stand on single events: what workers and the server were seen to do."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tests.crash.progress import Signs, stood_still
from tests.crash.report import Line, Report
from tests.crash.setup import BATCH_SIZE, CONCURRENCY
from tests.crash.workload import MAX_BYTES

if TYPE_CHECKING:
    from tests.crash.world import World

MOST_HELD = 2 * CONCURRENCY + 3 * BATCH_SIZE
"""Entries: what runs, what claims may add, and three reads' worth."""
MOST_MEBIBYTES = 256
MOST_MESSAGE_BYTES = 4 * MAX_BYTES
"""What one reply may carry: a read asks for what the mean size promises for a second, and by chance
the largest come together."""


def watched(world: World, lines: list[Line], report: Report) -> None:
    """Add to the report what the witness, the probes, the logs and the SLOWLOG tell."""
    handled = defaultdict(list)
    for line in lines:
        handled[line.consumer].append(line.at)
    mix = world.run.of.mix
    faults, probes = world.faults, world.probes
    for sentence in stood_still(
        world.witness.looks,
        Signs(handled, world.proxy.carried),
        world.fleet.lives,
        faults.outages,
        longest_handler=max(mix.slow_seconds) if mix.slow else 0.0,
        longest_message=MOST_MESSAGE_BYTES / world.run.of.link if mix.sized else 0.0,
    ):
        report.broke("wedged", sentence)
    for end in world.fleet.exits:
        report.broke("exits", end)
    for defect in world.fleet.said():
        report.broke("defects", defect)
    if "hang" not in world.run.of.faults:
        for sentence in world.fleet.ignored_time_outs():
            report.broke("slots", sentence)
    if not probes.answers:
        report.broke("probes", "no worker said what it holds")
    if not world.fleet.lives:
        report.broke("probes", "no worker announced its consumer")
    if not world.witness.looks:
        report.broke("probes", "the witness saw nothing")
    for sentence in probes.unwell:
        report.broke("livez", sentence)
    for sentence in world.slow_scripts.broken():
        report.broke("slow-scripts", sentence)
    if probes.most_held > MOST_HELD:
        report.broke("held", f"a worker held {probes.most_held} entries, more than {MOST_HELD}")
    if probes.most_mebibytes > MOST_MEBIBYTES:
        report.broke("memory", f"a worker took {probes.most_mebibytes:.0f} MiB")
    report.most_held = probes.most_held
    report.most_mebibytes = round(probes.most_mebibytes)
