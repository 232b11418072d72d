"""The corpus through whole events: names and content together, in every place where a text can stand."""

from collections.abc import Callable
from typing import Any

import pytest

from fapilog.event import Extra, Origin, Record
from fapilog.redaction.options import RedactionOptions
from fapilog.redaction.redactor import Redactor
from tests.redaction.corpus import rows

USUAL = RedactionOptions(presets=("CREDENTIALS", "CONTENT_PATTERNS"), fields=("pin",))
OPT_IN = ("email", "phone")
ORIGIN = Origin("shop", None)  # type: ignore[arg-type] - nothing is submitted
PLACES = ("message", "fields", "nested", "bound", "context", "exception", "stack")


class Captured:
    """Stands for an exception taken apart at the call."""

    def __init__(self, text: str) -> None:
        self._text = text

    def render(self) -> dict[str, Any]:
        frames = [{"code": self._text}]
        return {"type": "E", "message": self._text, "stacktrace": f"E: {self._text}\n", "frames": frames}


def through(redactor: Redactor, place: str) -> Callable[[Any], Any]:
    """Return a function that puts a text, or fields, into an event at a place and returns what is there afterwards."""

    def redact(given: Any) -> Any:
        parts: dict[str, Any] = {"message": "m", "fields": {}, "bound": {}, "local": {}, "extra": None}
        if place == "message":
            parts["message"] = given
        elif place in ("fields", "bound", "context"):
            part = "local" if place == "context" else place
            parts[part] = given if isinstance(given, dict) else {"note": given}
        elif place == "nested":
            parts["fields"] = {"outer": [{"inner": given}]}
        else:
            parts["extra"] = Extra(Captured(given)) if place == "exception" else Extra(stack=given)
        record = Record(1, 20, ORIGIN, shared={}, span=None, **parts)
        redacted = Record(*redactor.redact_records([record])[0])
        if place == "exception":
            assert redacted.extra is not None
            assert redacted.extra.exception is not None
            shown = redacted.extra.exception.render()
            whole = {"message": given, "stacktrace": f"E: {given}\n", "frames": [{"code": given}], "type": "E"}
            return given if shown == whole else shown
        if place == "stack":
            assert redacted.extra is not None
            return redacted.extra.stack
        if place == "message":
            return redacted.message
        if place == "nested":
            return redacted.fields["outer"][0]["inner"]
        part = redacted.local if place == "context" else getattr(redacted, place)
        return part if isinstance(given, dict) else part["note"]

    return redact


@pytest.mark.parametrize("place", PLACES)
def test_what_production_hides_and_what_it_leaves_alone(place: str) -> None:
    """Recall 100 %, no false alarm, wherever the text stands."""
    redactor = Redactor(USUAL)
    texts = [row for row in rows.texts() if row.label not in OPT_IN or not row.hidden]
    scores = rows.score(texts, through(redactor, place))

    print(f"\n{place}\n{rows.table(scores)}")  # noqa: T201 - the table is what the test shows
    assert [row.given for score in scores for row in score.missed] == []
    assert [row.given for score in scores for row in score.alarms] == []


@pytest.mark.parametrize("place", ["fields", "nested", "bound", "context"])
def test_payloads_are_hidden_by_name_and_by_content(place: str) -> None:
    """The same for nested fields."""
    scores = rows.score(rows.payloads(), through(Redactor(USUAL), place))

    print(f"\n{place}\n{rows.table(scores)}")  # noqa: T201
    assert [row.given for score in scores for row in score.missed] == []
    assert [row.given for score in scores for row in score.alarms] == []
