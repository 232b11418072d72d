"""PromQL that is made of the catalogue: a metric or a label that is not there is an error here, not an empty panel."""

from fapilog.metrics.catalogue import Metric
from fapilog.metrics.naming import label_names, series_names

TARGET_LABELS = ("job", "instance")
"""What Prometheus itself puts on whatever it scrapes."""
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def label(metric: Metric, name: str) -> str:
    """Return what Prometheus calls the label that the catalogue calls so.

    Raises:
        ValueError: If the metric has no such label.
    """
    return label_names(metric)[metric.labels.index(name)]


def labels_of(metric: Metric) -> tuple[str, ...]:
    """Return the labels of a metric's series as Prometheus has them, its own among them."""
    return (*TARGET_LABELS, *label_names(metric))


def series(metric: Metric, *matchers: tuple[str, str, str], part: str = "") -> str:
    """Return a selector.

    Args:
        metric: Of the catalogue.
        matchers: Label, operator, value.
        part: Of a histogram: ``bucket``, ``sum`` or ``count``.

    Raises:
        ValueError: If the metric has no such label, or no such part.
    """
    names = [name for name in series_names(metric) if name.endswith(f"_{part}" if part else "")]
    if len(names) != 1:
        raise ValueError(f"{metric.name}: {part!r} is none of {', '.join(series_names(metric))}")
    for name, _, _ in matchers:
        _known(metric, name)
    inside = ", ".join(f'{name}{operator}"{value.translate(_ESCAPES)}"' for name, operator, value in matchers)
    return f"{names[0]}{{{inside}}}" if inside else names[0]


def by(metric: Metric, *labels: str) -> str:
    """Return the grouping by these labels; the metric must have them.

    Raises:
        ValueError: If it has not.
    """
    for name in labels:
        _known(metric, name)
    return f"by ({', '.join(labels)})"


def _known(metric: Metric, name: str) -> None:
    if name not in (*labels_of(metric), "le"):
        raise ValueError(f"{metric.name} has no label {name}; there are {', '.join(labels_of(metric))}")
