"""The corpus: labelled texts and payloads, each with what must disappear from it."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from tests.redaction.corpus.harmless import HARMLESS
from tests.redaction.corpus.payloads import HARMLESS_PAYLOADS, SECRET_PAYLOADS
from tests.redaction.corpus.secrets import SECRETS


class Row(NamedTuple):
    """One labelled case: a text, or the fields of an event."""

    label: str
    given: Any
    hidden: tuple[str, ...]
    """Each substring that must be gone; empty for a harmless row, which must come out as it is."""


class Score(NamedTuple):
    """How rules did on the rows of one label."""

    label: str
    secrets: int
    missed: tuple[Row, ...]
    harmless: int
    alarms: tuple[Row, ...]

    @property
    def recall(self) -> float:
        return 1 - len(self.missed) / self.secrets if self.secrets else 1.0

    @property
    def precision(self) -> float:
        found = self.secrets - len(self.missed)
        return found / (found + len(self.alarms)) if found + len(self.alarms) else 1.0


def texts() -> list[Row]:
    """Return the rows that are texts."""
    secret = [Row(label, text, tuple(hidden)) for label, rows in SECRETS.items() for text, *hidden in rows]
    return secret + [Row(label, text, ()) for label, rows in HARMLESS.items() for text in rows]


def payloads() -> list[Row]:
    """Return the rows that are fields of an event, for a redactor that also knows names."""
    secret = [Row(label, payload, tuple(hidden)) for label, payload, *hidden in SECRET_PAYLOADS]
    return secret + [Row(label, payload, ()) for label, payload in HARMLESS_PAYLOADS]


def score(rows: Iterable[Row], redact: Callable[[Any], Any]) -> list[Score]:
    """Run a redactor over the rows and return how it did, per label."""
    missed: dict[str, list[Row]] = {}
    alarms: dict[str, list[Row]] = {}
    counts: dict[str, list[int]] = {}
    for row in rows:
        redacted = redact(row.given)
        count = counts.setdefault(row.label, [0, 0])
        count[not row.hidden] += 1
        if row.hidden and any(hidden in str(redacted) for hidden in row.hidden):
            missed.setdefault(row.label, []).append(row)
        if not row.hidden and redacted != row.given:
            alarms.setdefault(row.label, []).append(row)
    return [
        Score(label, count[0], tuple(missed.get(label, ())), count[1], tuple(alarms.get(label, ())))
        for label, count in counts.items()
    ]


def table(scores: Iterable[Score]) -> str:
    """Return a table of recall and precision."""
    lines = [f"{'class':<16}{'secret':>8}{'missed':>8}{'recall':>8}{'harmless':>10}{'alarms':>8}{'precision':>11}"]
    lines += [
        f"{it.label:<16}{it.secrets:>8}{len(it.missed):>8}{it.recall:>8.0%}{it.harmless:>10}{len(it.alarms):>8}{it.precision:>11.0%}"
        for it in scores
    ]
    return "\n".join(lines)
