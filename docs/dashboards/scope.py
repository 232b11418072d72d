"""The queries of one dashboard: each is held to what its variables choose."""

from collections.abc import Mapping

from docs.dashboards.promql import by, labels_of, series
from fapilog.metrics.catalogue import Metric

Matcher = tuple[str, str, str]
RANGE = "$__rate_interval"
"""As long as Grafana thinks right for the scrape interval and the zoom."""


class Scope:
    """Makes queries that are held to variables.

    Args:
        variables: Label and the name of the variable that chooses its values; for the metrics that have this label.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        """Hold queries to these variables."""
        self._variables = variables

    def series(self, metric: Metric, *matchers: Matcher, part: str = "") -> str:
        """Return the selector of what is chosen, and of these matchers."""
        own = [(name, "=~", f"${variable}") for name, variable in self._variables.items() if name in labels_of(metric)]
        return series(metric, *own, *matchers, part=part)

    def rate(self, metric: Metric, *labels: str, where: tuple[Matcher, ...] = (), part: str = "") -> str:
        """Return how much of a counter there is a second, summed by these labels."""
        return f"sum {by(metric, *labels)} (rate({self.series(metric, *where, part=part)}[{RANGE}]))"

    def grown(self, metric: Metric, *labels: str, where: tuple[Matcher, ...] = ()) -> str:
        """Return by how much a counter has grown in the time that is looked at, as a whole number."""
        return f"sum {by(metric, *labels)} (round(increase({self.series(metric, *where)}[$__range])))"

    def most(self, metric: Metric, *labels: str, where: tuple[Matcher, ...] = ()) -> str:
        """Return the highest value of a gauge, by these labels."""
        return f"max {by(metric, *labels)} ({self.series(metric, *where)})"

    def quantile(self, share: float, metric: Metric, *labels: str, where: tuple[Matcher, ...] = ()) -> str:
        """Return the value that this share of the measurements does not exceed, by these labels."""
        return f"histogram_quantile({share:g}, {self.rate(metric, 'le', *labels, where=where, part='bucket')})"

    def mean(self, metric: Metric, *labels: str) -> str:
        """Return the mean of a histogram's measurements, by these labels."""
        return f"{self.rate(metric, *labels, part='sum')} / {self.rate(metric, *labels, part='count')}"
