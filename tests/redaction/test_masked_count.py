"""How often redaction has changed something: each value once, and nothing for what is left as it is."""

from typing import Any

import pytest

from fapilog.coerce import MASK
from fapilog.event import Extra, Origin, RenderedException
from fapilog.redaction.options import RedactionOptions
from fapilog.redaction.presets import PCI_DSS, RedactionPreset
from fapilog.redaction.redactor import Redactor

SECRET = "AKIA" + "IOSFODNN7EXAMPLE"
EMPTY: dict[str, Any] = {}


def redactor(**options: Any) -> Redactor:
    return Redactor(RedactionOptions(**options))


def record(message: str, fields: dict[str, Any], bound: dict[str, Any] = EMPTY, extra: Any = None) -> tuple[Any, ...]:
    return (1, 20, Origin("test", None), message, fields, bound, EMPTY, EMPTY, None, extra)


CHANGES = [
    ({"order": 7, "note": "paid", "big": 10**12}, 0),
    ({"password": "hunter2"}, 1),
    ({"password": "hunter2", "user": {"api_key": "k", "tokens": [{"secret": "s"}]}}, 3),
    ({"password": {"a": 1, "b": 2}}, 1),
    ({"note": f"key {SECRET}"}, 1),
    ({"note": f"{SECRET} and {SECRET}"}, 1),
    ({"notes": [SECRET, "harmless", SECRET]}, 2),
    ({"header": {"name": "authorization", "value": "x-1"}}, 1),
    ({"headers": [["authorization", "x-1"], ["accept", "*/*"]]}, 1),
    ({"argv": ["run", "--password", "hunter2"]}, 1),
    ({SECRET: 1}, 1),
]


@pytest.mark.parametrize(("fields", "count"), CHANGES)
def test_each_changed_value_counts_once(fields: dict[str, Any], count: int) -> None:
    """By name, by content, by place, in lists and arguments, and a name that holds a secret."""
    by_dict, by_record = redactor(), redactor()
    by_dict({"message": "event", **fields})
    by_record.redact_records([record("event", fields)])

    assert (by_dict.masked, by_record.masked) == (count, count)


@pytest.mark.parametrize(("fields", "count"), CHANGES)
def test_what_is_redacted_already_does_not_count_again(fields: dict[str, Any], count: int) -> None:
    """A journal's events are looked at twice, and so are those that processors have seen."""
    one = redactor()
    redacted = one({"message": "event", **fields})
    one(redacted)
    one.redact_records([record("event", {key: value for key, value in redacted.items() if key != "message"})])

    assert one.masked == count


@pytest.mark.parametrize(
    ("options", "fields", "count"),
    [
        ({"remove": ["pet"]}, {"pet": "cat", "user": {"pet": "dog"}}, 2),
        ({"remove": ["users.*.pet"]}, {"users": [{"pet": "cat"}, {"pet": "dog"}]}, 2),
        ({"remove": ["users.*"]}, {"users": ["a", "b"]}, 2),
        ({"fields": ["user.pet"]}, {"user": {"pet": "dog", "name": "x"}}, 1),
        ({"presets": [PCI_DSS]}, {"ref": 4_111_111_111_111_111, "other": 4_111_111_111_111_112}, 1),
        ({"max_text": 10}, {"note": "x" * 500}, 1),
        ({"presets": [RedactionPreset("sizes", size_fields=("body",))]}, {"body": "x" * 5, "bodies": "x"}, 1),
    ],
)
def test_what_is_removed_cut_or_sized_counts(options: dict[str, Any], fields: dict[str, Any], count: int) -> None:
    """They are gone as well; and so is a number that is a card's."""
    one = redactor(**options)
    one(one({"message": "event", **fields}))

    assert one.masked == count


def test_messages_exceptions_and_stacks_count_by_text() -> None:
    """Each text that was changed, whatever is in it how often."""
    one = redactor()
    exception = {"type": "E", "message": SECRET, "frames": [{"line": f"f({SECRET!r})"}, {"line": "g()"}]}
    extra = Extra(exception=RenderedException(exception), stack=f"stack {SECRET}")
    one.redact_records([record(f"message {SECRET}", {}, extra=extra)])

    assert one.masked == 4


def test_what_events_share_counts_while_it_is_in_use_once() -> None:
    """A bound logger's fields are redacted once, however many events carry them."""
    one = redactor()
    bound = {"password": "hunter2"}
    one.redact_records([record("event", {}, bound) for _ in range(100)])
    one.redact_records([record("event", {}, bound) for _ in range(100)])

    assert one.masked == 1


def test_texts_of_diagnostics_do_not_count() -> None:
    """They are no events; any thread asks for them."""
    one = redactor()

    assert MASK in one.text(SECRET)
    assert one.masked == 0
