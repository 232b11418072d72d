"""Draws what the two runs of ``benchmarks.adaptive`` left behind: ``python -m benchmarks.adaptive_plot <file.png>``."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes

from benchmarks.adaptive import CAPACITY, LEVELS, LOADS
from benchmarks.venvs import HOME

COLOURS = {"fixed": "#c44e52", "adaptive": "#2f6db3"}
STYLES = {"fixed": (0, (4, 1.5)), "adaptive": "-"}
SLOW = "#faf1de"
SUFFIXES = ("", "_double")
STEPS = frozenset(("level", "latency_ms", "in_flight", "batch"))
ROWS = (
    ("latency_ms", "latency of the sink, ms"),
    ("waiting", "events that the\nsink has not taken"),
    ("level", "pressure level"),
    ("batch", "events in\nthe last batch"),
    ("in_flight", "batches in flight"),
    ("dropped", "dropped so far"),
)


def main() -> None:
    """Read the runs and write the picture, a column for each load."""
    columns = [(suffix, runs) for suffix in SUFFIXES if (runs := _runs(suffix))]
    pyplot.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure, grid = pyplot.subplots(
        len(ROWS),
        len(columns),
        sharex="col",
        sharey="row",
        squeeze=False,
        figsize=(2.0 + 5.5 * len(columns), 10.0),
        height_ratios=[1, 1.6, 1.2, 1.2, 1, 1.2],
        layout="constrained",
    )
    for number, (suffix, runs) in enumerate(columns):
        panels = [row[number] for row in grid]
        _draw_column(panels, runs)
        load = f"{LOADS['adaptive' + suffix]:,}".replace(",", " ")
        panels[0].set_title(f"A sink that slows down for some seconds, under {load} events/s", loc="left", fontsize=10)
        panels[-1].set_xlabel("seconds")
    for row, (key, title) in zip(grid, ROWS, strict=True):
        row[0].set_ylabel(title)
        if key != "level":
            # Only now: what is drawn after a bound is set does not widen the other one.
            row[0].set_ylim(bottom=0)
    figure.align_ylabels()
    handles, labels = grid[1][0].get_legend_handles_labels()
    grid[0][-1].legend(handles, labels, loc="upper right", ncols=1, frameon=False)
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=100)


def _runs(suffix: str) -> dict[str, Any]:
    """Return what was left behind for one load, by configuration."""
    paths = {name: HOME / f"adaptive-{name}{suffix}.json" for name in COLOURS}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}


def _draw_column(panels: Sequence[Axes], runs: dict[str, Any]) -> None:
    for panel, (key, _) in zip(panels, ROWS, strict=True):
        _draw(panel, runs, key)
        panel.grid(axis="y", color="#e5e5e5", linewidth=0.6)
        panel.set_axisbelow(True)
    _name_levels(panels[2])
    panels[1].axhline(CAPACITY, color="#777777", linewidth=0.8)
    panels[1].annotate("capacity", (0.1, CAPACITY), xytext=(0, 2), textcoords="offset points", fontsize=8)


def _draw(panel: Axes, runs: dict[str, Any], key: str) -> None:
    for name, run in runs.items():
        looks = run["looks"]
        panel.plot(
            [look["seconds"] for look in looks],
            [look[key] for look in looks],
            color=COLOURS[name],
            linestyle=STYLES[name],
            label=name,
            linewidth=1.4,
            drawstyle="steps-post" if key in STEPS else "default",
        )
        panel.axvspan(run["phases"]["slow"], run["phases"]["quick"], color=SLOW, zorder=0, linewidth=0)
        panel.set_xlim(0, run["phases"]["end"])


def _name_levels(panel: Axes) -> None:
    panel.set_yticks(range(len(LEVELS)), LEVELS)
    panel.set_ylim(-0.3, len(LEVELS) - 0.7)


if __name__ == "__main__":
    main()
