"""Reads PromQL with the parser of Prometheus' own grammar, and knows which metrics and labels there are."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import promql_parser

from fapilog.metrics.catalogue import CATALOGUE
from fapilog.metrics.naming import label_names, series_names

TARGET = frozenset({"job", "instance"})
"""What Prometheus puts on each series that it scrapes."""
VARIABLES = {
    "$__rate_interval": "5m",
    "$__range": "1h",
    "{$__tags}": '{job="shop", http_request_method="GET", http_route="/"}',
}
_CHOSEN = re.compile(r"\$\w+")


def known_series() -> dict[str, frozenset[str]]:
    """Return each series that is published, with its labels."""
    return {
        name: TARGET | set(label_names(metric)) | ({"le"} if name.endswith("_bucket") else set())
        for metric in CATALOGUE
        for name in series_names(metric)
    }


def filled_in(text: str, chosen: str = ".+", variables: Mapping[str, str] = VARIABLES) -> str:
    """Return a query as Grafana sends it: every variable replaced, those that the viewer chooses by one value."""
    for variable, value in variables.items():
        text = text.replace(variable, value)
    return _CHOSEN.sub(chosen.replace("\\", r"\\"), text)


def faults(text: str, known: Mapping[str, frozenset[str]]) -> list[str]:
    """Return what is wrong with a query: series that nobody publishes, labels that its series do not have.

    Raises:
        ValueError: If it does not parse.
    """
    tree = promql_parser.parse(text)
    return list(_unknown(tree, known))


def labels_of(text: str, known: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return which labels the result of a query may have."""
    return _read(promql_parser.parse(text), known, [])


def _unknown(tree: Any, known: Mapping[str, frozenset[str]]) -> Iterator[str]:
    wrong: list[str] = []
    _read(tree, known, wrong)
    yield from wrong


def _read(node: Any, known: Mapping[str, frozenset[str]], wrong: list[str]) -> frozenset[str]:
    """Return the labels that a part of a query leaves, and note what is wrong with it."""
    match node:
        case promql_parser.VectorSelector():
            return _selected(node, known, wrong)
        case promql_parser.MatrixSelector():
            return _selected(node.vector_selector, known, wrong)
        case promql_parser.AggregateExpr():
            return _aggregated(node, known, wrong)
        case promql_parser.BinaryExpr():
            left, right = _read(node.lhs, known, wrong), _read(node.rhs, known, wrong)
            if node.modifier is not None and node.modifier.matching is not None:
                _named(node.modifier.matching.labels, left & right, wrong)
            return left | right
        case promql_parser.Call():
            return _called(node, known, wrong)
        case promql_parser.ParenExpr() | promql_parser.UnaryExpr() | promql_parser.SubqueryExpr():
            return _read(node.expr, known, wrong)
        case promql_parser.NumberLiteral() | promql_parser.StringLiteral():
            return frozenset()
    raise AssertionError(f"not read here: {type(node).__name__}")


def _aggregated(node: Any, known: Mapping[str, frozenset[str]], wrong: list[str]) -> frozenset[str]:
    inside = _read(node.expr, known, wrong)
    if node.modifier is None:
        return inside if str(node.op) in {"topk", "bottomk"} else frozenset()
    assert node.modifier.type == promql_parser.AggModifierType.By, "`without` is not read here"
    return _named(node.modifier.labels, inside, wrong)


def _called(node: Any, known: Mapping[str, frozenset[str]], wrong: list[str]) -> frozenset[str]:
    read = [_read(argument, known, wrong) for argument in node.args]
    left = frozenset[str]().union(*read)
    if node.func.name != "histogram_quantile":
        return left
    if "le" not in left:
        wrong.append("histogram_quantile of something without le")
    return left - {"le"}


def _selected(node: Any, known: Mapping[str, frozenset[str]], wrong: list[str]) -> frozenset[str]:
    if node.name not in known:
        wrong.append(f"no series {node.name}")
        return frozenset()
    assert not node.matchers.or_matchers
    return _named([matcher.name for matcher in node.matchers.matchers], known[node.name], wrong, give=known[node.name])


def _named(
    names: list[str], there: frozenset[str], wrong: list[str], give: frozenset[str] | None = None
) -> frozenset[str]:
    wrong += [f"no label {name} among {', '.join(sorted(there))}" for name in names if name not in there]
    return give if give is not None else frozenset(names) & there


def matched_values(text: str) -> list[tuple[str, str]]:
    """Return the label and the value of each matcher of a query; of an alternative each value by itself."""
    found: list[tuple[str, str]] = []
    for name, value in re.findall(r'(\w+)=~?"([^"]*)"', text):
        found += [(name, one) for one in value.split("|")]
    return found
