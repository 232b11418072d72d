"""The page of the metrics says what there is, as the catalogue has it."""

from pathlib import Path

from fapilog.metrics.catalogue import CATALOGUE, Metric
from fapilog.metrics.naming import series_names

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def row(metric: Metric) -> str:
    """Return a metric's row in the table."""
    series = series_names(metric)
    name = series[0].removesuffix("_bucket") if metric.kind == "histogram" else series[0]
    unit = metric.unit.strip("{}").replace("By", "bytes").replace("s", "seconds", metric.unit == "s")
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | `{name}` | {metric.kind} | {unit} | {labels} | {metric.help} |"


def test_the_table_is_the_catalogue() -> None:
    """Every metric, in order, and no other."""
    section = PAGE.read_text("utf-8").partition("## What is counted")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]

    assert rows == [row(metric) for metric in CATALOGUE]
