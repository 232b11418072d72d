"""The tables: for the terminal and for ``docs/benchmarks.md``, from the same lines."""

from collections.abc import Iterable, Sequence

from benchmarks.budgets import BUDGETS, Budget, Figures, Measured
from benchmarks.machine import Facts
from benchmarks.scenarios import MORE, SCENARIOS, Column, Scenario

Row = Sequence[str]

_INTRO = """# Benchmarks

Written by `make bench`; nothing on this page is typed by hand. Every contender runs in a process of its own,
the contenders take turns for several rounds, and each figure is the median over its rounds. All of them write
the same: one JSON line with time, level, logger, message, four fields, two bound context fields, and the ids of
the active OpenTelemetry span (the published fapilog has no trace ids and does less). The cost of reading the
clock twice and of one function call around the log call is taken off. A ratio beside a figure tells how many
times better it is than the yardstick of its table; below 1 it is worse.

Absolute times are those of one machine, which shares its processor with others. Ratios travel better. `floor`
is what the machine and the framework themselves ask for: the contender `floor` only appends a tuple to a deque,
`bare_depends` only has a dependency that does nothing.
"""


def page(figures: Figures, facts: Facts, setups: Iterable[Row]) -> str:
    """Return the whole page."""
    parts = [_INTRO, "## Machine", _table(("what", "this run"), facts.rows())]
    parts += ["## Contenders", _table(("contender", "set-up"), setups)]
    parts += ["## Budgets of the design", budget_table(figures)]
    for scenario in SCENARIOS:
        if figures.get(scenario.module):
            parts += [f"## {scenario.title}", _about(scenario), scenario_table(scenario, figures)]
            parts += [f"![{scenario.title}]({scenario.picture[1]})"] if scenario.picture[1] else []
    return "\n\n".join(part.strip() for part in parts) + "\n"


def budget_table(figures: Figures) -> str:
    """Hold the run against the design's budgets; those whose scenario did not run are left out."""
    rows = []
    for budget in BUDGETS:
        try:
            value = budget.read(figures)
        except KeyError:
            continue
        sign = "≥" if budget.at_least else "≤"
        limit = f"{sign} {_number(budget.limit)} {budget.unit}"
        rows.append((budget.what, limit, _number(value), _floor(budget, figures), budget.verdict(value)))
    return _table(("what", "budget", "measured", "floor", "verdict"), rows)


def _floor(budget: Budget, figures: Figures) -> str:
    """Show the machine's own part of a figure, where it was measured."""
    try:
        return _number(budget.floor(figures)) if budget.floor else ""
    except KeyError:
        return "–"


def scenario_table(scenario: Scenario, figures: Figures) -> str:
    """Show one scenario, a row a contender."""
    measured = figures[scenario.module]
    heads = ["contender", *(column.title for column in scenario.columns)]
    rows = []
    for name in scenario.contenders:
        if name in measured:
            cells = (_cell(column, name, scenario.against(name), measured) for column in scenario.columns)
            rows.append((name, *cells))
    return _table(heads, rows)


def _about(scenario: Scenario) -> str:
    against = ""
    if any(column.ratio for column in scenario.columns):
        against = (
            f" Ratios are to `{scenario.yardstick}`." if scenario.yardstick else " Ratios are to the rival of the kind."
        )
    return f"`benchmarks/{scenario.module}.py`.{against}"


def _cell(column: Column, name: str, yardstick: str, measured: Measured) -> str:
    value = measured[name].get(column.key)
    if value is None:
        return "–"
    text = f"{value / column.per:,.{column.digits}f}".replace(",", " ")
    against = measured.get(yardstick, {}).get(column.key, 0.0)
    if not column.ratio or name == yardstick or against <= 0 or value <= 0:
        return text
    better = value / against if column.ratio == MORE else against / value
    return f"{text} ({_number(better)} ×)"


def _number(value: float) -> str:
    """Write a figure with about three digits that count."""
    size = abs(value)
    if size >= 100:  # noqa: PLR2004 - three digits before the point
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.2f}" if size < 10 else f"{value:.1f}"  # noqa: PLR2004 - the same


def _table(heads: Row, rows: Iterable[Row]) -> str:
    """Lay a table out, so that it reads well in a terminal too."""
    lines = [list(heads), *(list(row) for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(heads))]
    laid = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    laid.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(laid)
