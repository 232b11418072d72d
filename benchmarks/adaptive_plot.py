"""Draws what the two runs of ``benchmarks.adaptive`` left behind: ``python -m benchmarks.adaptive_plot <file.png>``."""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes

from benchmarks.adaptive import CAPACITY, LEVELS, PER_SECOND
from benchmarks.venvs import HOME

COLOURS = {"fixed": "#c44e52", "adaptive": "#2f6db3"}
STYLES = {"fixed": (0, (4, 1.5)), "adaptive": "-"}
SLOW = "#f3e3c3"
ROWS = (
    ("latency_ms", "latency of the sink, ms"),
    ("waiting", "events that the\nsink has not taken"),
    ("level", "pressure level"),
    ("batch", "events in\nthe last batch"),
    ("in_flight", "batches in flight"),
    ("dropped", "dropped so far"),
)


def main() -> None:
    """Read both runs and write the picture."""
    runs = {}
    for name in COLOURS:
        path = HOME / f"adaptive-{name}.json"
        if path.exists():
            runs[name] = json.loads(path.read_text())
    pyplot.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure, panels = pyplot.subplots(
        len(ROWS), 1, sharex=True, figsize=(9.0, 10.0), height_ratios=[1, 1.6, 1.2, 1.2, 1, 1.2], layout="constrained"
    )
    for panel, (key, title) in zip(panels, ROWS, strict=True):
        _draw(panel, runs, key)
        panel.set_ylabel(title)
        panel.grid(axis="y", color="#e5e5e5", linewidth=0.6)
        panel.set_axisbelow(True)
    _name_levels(panels[2])
    panels[1].axhline(CAPACITY, color="#777777", linewidth=0.8)
    panels[1].annotate("capacity of the buffer", (0.2, CAPACITY), xytext=(0, 2), textcoords="offset points", fontsize=8)
    panels[-1].set_xlabel("seconds")
    panels[0].set_title(f"A sink that slows down for some seconds, under {PER_SECOND} events/s", loc="left")
    handles, labels = panels[1].get_legend_handles_labels()
    panels[0].legend(handles, labels, loc="upper right", ncols=3, frameon=False)
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=110)


def _draw(panel: Axes, runs: dict[str, Any], key: str) -> None:
    for name, run in runs.items():
        looks = run["looks"]
        seconds = [look["seconds"] for look in looks]
        panel.plot(
            seconds,
            [look[key] for look in looks],
            color=COLOURS[name],
            linestyle=STYLES[name],
            label=name,
            linewidth=1.4,
            drawstyle="steps-post" if key in {"level", "latency_ms", "in_flight", "batch"} else "default",
        )
        panel.axvspan(run["phases"]["slow"], run["phases"]["quick"], color=SLOW, zorder=0, linewidth=0)
        panel.set_xlim(0, run["phases"]["end"])
    panel.set_ylim(bottom=0 if key != "level" else -0.2)


def _name_levels(panel: Axes) -> None:
    panel.set_yticks(range(len(LEVELS)), LEVELS)
    panel.set_ylim(-0.3, len(LEVELS) - 0.7)


if __name__ == "__main__":
    main()
