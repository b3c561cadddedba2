"""The courses as pictures for docs/scaling.md, SVG and PNG: arrivals, entries waiting, workers."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from bench.scaling.comparison import Comparison, cost
from bench.scaling.contenders import KEDA, NUMAFLOW, TARGET, WINDOW
from bench.scaling.world import Run
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MultipleLocator

INK, FAINT = "#2b2f36", "#9aa1ab"
HEADRACE = "Headrace"
COLOURS = {HEADRACE: "#d1342f", KEDA.name: "#2f6fd1", NUMAFLOW.name: "#3b9b6d"}
POINTS = 480
STYLE = {
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e8eb",
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.hashsalt": "headrace",  # the same picture is the same file
}


def draw(comparisons: Sequence[Comparison], directory: Path) -> None:
    """A picture for each trace, and the trade-off where idle workers could pay."""
    directory.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        for comparison in comparisons:
            name = comparison.trace.name.replace(" ", "-")
            _save(_courses(comparison), directory / name)
            if comparison.trace.name == "heavy tail":
                _save(_trade_off(comparison), directory / "trade-off")


def _courses(comparison: Comparison) -> Figure:
    trace = comparison.trace
    figure, (arrivals, waiting, workers) = plt.subplots(
        3, 1, figsize=(9, 6.4), sharex=True, height_ratios=(1, 3, 3), layout="constrained"
    )
    arriving = _peaks([trace.arrivals(second) for second in range(trace.seconds)])
    arrivals.fill_between(_minutes(arriving, trace.seconds), arriving, color="#c9ced6", lw=0)
    arrivals.set_ylabel("arriving\nper second")
    arrivals.set_ylim(bottom=0)
    arrivals.yaxis.set_major_formatter(EngFormatter(sep=""))
    drawn = _drawn(comparison)
    for name, runs in drawn.items():
        run, mean = runs[0], cost(runs)
        look = {"color": COLOURS[name], "lw": 1.8 if name == HEADRACE else 1.2}
        label = f"{name}: {_short(mean.backlog)} entry-seconds, {_short(mean.pods)} pod-seconds"
        backlog = _peaks(run.backlog)
        waiting.plot(_minutes(backlog, trace.seconds), backlog, **look, label=label)
        replicas = run.replicas
        workers.step(_minutes(replicas, trace.seconds), replicas, where="post", **look)
    most_waiting = max(max(runs[0].backlog) for runs in drawn.values())
    most_workers = max(max(runs[0].replicas) for runs in drawn.values())
    if most_waiting > 10:
        waiting.set_yscale("symlog", linthresh=10)
        waiting.yaxis.set_major_formatter(EngFormatter(sep=""))
    waiting.set_ylim(bottom=0)
    waiting.set_ylabel("entries waiting" + ("\n(logarithmic)" if most_waiting > 10 else ""))
    workers.set_ylabel("workers")
    workers.set_ylim(0, most_workers + 0.5)
    workers.yaxis.set_major_locator(MultipleLocator(2 if most_workers > 4 else 1))
    workers.set_xlabel("minutes")
    workers.set_xlim(0, trace.seconds / 60)
    workers.xaxis.set_major_locator(MultipleLocator(10))
    draws = f": the first of {len(trace.draws)} draws, the means of all" if trace.more else ""
    title = f"{trace.name.capitalize()}{draws}"
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=13)
    handles, labels = waiting.get_legend_handles_labels()
    order = (2, 0, 1)
    figure.legend(
        [handles[n] for n in order],
        [labels[n] for n in order],
        loc="outside lower left",
        ncols=1,
        frameon=False,
    )
    return figure


def _drawn(comparison: Comparison) -> dict[str, list[Run]]:
    """The courses by name; the last lies on top."""
    theirs = {peer.name: comparison.theirs(peer) for peer in (KEDA, NUMAFLOW)}
    return theirs | {HEADRACE: comparison.mine(TARGET)}


def _trade_off(comparison: Comparison) -> Figure:
    """Waiting against pods: a curve for Headrace, a point for each peer."""
    figure, axes = plt.subplots(figsize=(9, 5.2), layout="constrained")
    curve = comparison.curve
    axes.plot(
        [c.pods / 1e3 for c in curve.values()],
        [c.backlog / 1e6 for c in curve.values()],
        "o-",
        color=COLOURS[HEADRACE],
        lw=1.8,
        ms=4,
        label="Headrace, by scaleDownAfter",
    )
    for window in (10, WINDOW, 60, 120, 180, 300):
        mine = curve[window]
        _note(axes, mine.pods, mine.backlog, f"{window} s", COLOURS[HEADRACE], (-8, -17))
    for peer in (KEDA, NUMAFLOW):
        _, theirs = comparison.pair(peer)
        axes.plot(theirs.pods / 1e3, theirs.backlog / 1e6, "s", color=COLOURS[peer.name], ms=8)
        _note(axes, theirs.pods, theirs.backlog, peer.name, COLOURS[peer.name], (8, 7))
    axes.margins(0.08)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("pod-seconds (thousands): less is cheaper")
    axes.set_ylabel("entry-seconds waited (millions): less is faster")
    axes.set_title(
        f"{comparison.trace.name.capitalize()}: what waiting costs, and what it saves",
        loc="left",
        fontweight="bold",
        fontsize=13,
    )
    axes.legend(frameon=False, loc="upper right")
    return figure


def _note(
    axes: Axes, pods: float, backlog: float, words: str, colour: str, beside: tuple[int, int]
) -> None:
    at = (pods / 1e3, backlog / 1e6)
    axes.annotate(words, at, beside, textcoords="offset points", color=colour, fontsize=9)


def _peaks(values: Sequence[float]) -> list[float]:
    """The highest of each stretch, so that no peak is lost in the thinning."""
    stretch = max(len(values) // POINTS, 1)
    return [max(values[n : n + stretch]) for n in range(0, len(values), stretch)]


def _minutes(values: Sequence[float], seconds: int) -> list[float]:
    return [seconds / 60 * n / len(values) for n in range(len(values))]


def _short(number: float) -> str:
    return EngFormatter(places=1, sep="")(number) if number >= 1000 else f"{number:.0f}"


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    plt.close(figure)
