"""What a text of Loki proves: wordings of several versions, and those that prove nothing."""

import pytest

from fapilog.sinks.loki.labels import Labels, text_of
from fapilog.sinks.loki.streams import Entry, Streams
from fapilog.sinks.loki.verdict import refused

SECOND = 1_000_000_000
START = 1_767_225_600 * SECOND  # 2026-01-01T00:00:00Z
INFO = (("app", "shop"), ("level", "info"))
ERROR = (("app", "shop"), ("level", "error"))
BEHIND = "entry with timestamp 2026-01-01 00:00:0{} +0000 UTC ignored, reason: 'entry too far behind{}',\n"
TOTAL = "user 'fake', total ignored: {} out of {} for stream: {}"


def streams(count: int = 5, labels: tuple[tuple[str, str], ...] = INFO) -> Streams:
    """Return a stream of an entry a second, and another one of a single entry."""
    entries = [Entry(number, START + number * SECOND, f"line {number}", {}) for number in range(count)]
    return {labels: entries, ERROR: [Entry(count, START, "other", {})]}


@pytest.mark.parametrize(
    "stream",
    [
        '{app="shop", level="info"}',
        '{level="info",app="shop"}',
        '{__stream_shard__="3", app="shop", level="info", service_name="shop"}',
    ],
)
def test_listed_entries_are_named(stream) -> None:
    """By their times, in the stream that is told, whatever labels Loki has added."""
    text = BEHIND.format(1, "") + BEHIND.format(2, "") + TOTAL.format(2, 5, stream)

    assert refused(text, streams()) == {1: "entry too far behind", 2: "entry too far behind"}


def test_the_wording_of_loki_2_is_read_too() -> None:
    """There the stream stands with each entry, and the total at the end without it."""
    one = "entry with timestamp 2026-01-01 00:00:01 +0000 UTC ignored, reason: 'entry out of order' for stream: {}"
    text = one.format('{app="shop", level="info"}') + ",\ntotal ignored: 1 out of 5"

    assert refused(text, streams()) == {1: "entry out of order"}


def test_fractions_of_seconds_are_read() -> None:
    """Go drops the zeros at the end of a fraction."""
    entries = {INFO: [Entry(0, START + 123_400_000, "a", {}), Entry(1, START + 5_000, "b", {})]}
    text = (
        "entry with timestamp 2026-01-01 00:00:00.1234 +0000 UTC ignored, reason: 'entry too far behind',\n"
        "entry with timestamp 2026-01-01 00:00:00.000005 +0000 UTC ignored, reason: 'entry too far behind',\n"
    ) + TOTAL.format(2, 2, text_of(INFO))

    assert sorted(refused(text, entries)) == [0, 1]


def test_the_limit_names_those_that_are_not_listed() -> None:
    """Everything from the first listed entry on that is before it."""
    limit = ", entry timestamp is: X, oldest acceptable timestamp is: 2026-01-01T00:00:04Z"
    text = BEHIND.format(0, limit) + TOTAL.format(4, 5, text_of(INFO))

    assert sorted(refused(text, streams())) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "something else",
        BEHIND.format(1, "") + TOTAL.format(2, 5, text_of(INFO)),
        BEHIND.format(1, "") + TOTAL.format(1, 5, '{app="other", level="info"}'),
        BEHIND.format(1, "") + TOTAL.format(1, 5, '{app="shop", level="info", more="x"}'),
        BEHIND.format(1, "") + TOTAL.format(1, 9, text_of(INFO)),
        BEHIND.format(1, "") + "total ignored: 1 out of 5",
        BEHIND.format(1, "") + TOTAL.format(1, 5, '{app="shop\\x7f", level="info"}'),
        BEHIND.format(1, "").replace("entry too far behind", "Per stream rate limit exceeded")
        + TOTAL.format(1, 5, text_of(INFO)),
        "entry with timestamp 2026-99-99 00:00:01 +0000 UTC ignored, reason: 'entry too far behind',\n"
        + TOTAL.format(1, 5, text_of(INFO)),
    ],
    ids=["empty", "other", "more than told", "other stream", "more labels", "more than sent", "no stream",
         "no JSON", "rate limit", "no date"],
)  # fmt: skip
def test_what_is_not_proven_names_nobody(text) -> None:
    """An entry is only rejected when it is sure that Loki has refused it for good."""
    assert refused(text, streams()) == {}


def test_of_two_entries_of_one_time_only_both_are_named() -> None:
    """If one of them was ignored, nobody knows which."""
    entries = {INFO: [Entry(0, START, "a", {}), Entry(1, START, "b", {})]}
    one = BEHIND.format(0, "")

    assert refused(one + TOTAL.format(1, 2, text_of(INFO)), entries) == {}
    assert refused(one + TOTAL.format(2, 2, text_of(INFO)), entries) == {}
    assert sorted(refused(one + one + TOTAL.format(2, 2, text_of(INFO)), entries)) == [0, 1]


def test_too_new_in_the_same_second_is_not_sure() -> None:
    """Loki cuts the fraction off: of two in one second either may be meant, later ones are."""
    text = "entry for stream '{}' has timestamp too new: 2026-01-01T00:00:03Z"
    both = {INFO: [*streams()[INFO], Entry(9, START + 3 * SECOND + 1, "x", {})]}

    assert sorted(refused(text, streams())) == [3, 4]
    assert sorted(refused(text, both)) == [4]


def test_grouped_refusals_are_read_one_by_one() -> None:
    """Loki 3 counts and joins them."""
    text = (
        "1 errors like: Max entry size '6' bytes exceeded for stream '{}' while adding an entry with length '7' bytes; "
        "3 errors like: entry for stream '{}' has timestamp too old: 2026-01-01T00:00:00Z, "
        "oldest acceptable timestamp is: 2026-01-01T00:00:02Z"
    )

    assert refused(text, {INFO: streams()[INFO]}) == {
        0: "timestamp too old: before 2026-01-01T00:00:02Z",
        1: "timestamp too old: before 2026-01-01T00:00:02Z",
    }


def test_labels_are_those_of_the_level_table_of_grafana() -> None:
    """Levels in lower case, WARNING as warn, one's own as they are named."""
    labels = Labels({}, ("level",), 100)
    found = [dict(labels.of({"level": level}))["level"] for level in ("DEBUG", "WARNING", "CRITICAL", "AUDIT")]

    assert found == ["debug", "warn", "critical", "audit"]


def test_a_field_that_is_missing_is_no_label() -> None:
    """Loki takes a label without a value for none."""
    labels = Labels({"app": "shop"}, ("level", "service"), 100)

    assert labels.of({"level": "INFO", "service": None}) == (("app", "shop"), ("level", "info"))


def test_memory_for_streams_is_bounded() -> None:
    """Ten thousand loggers leave as many label sets as are allowed."""
    labels = Labels({}, ("level", "logger"), 50)
    for number in range(10_000):
        labels.of({"level": "INFO", "logger": f"l{number}"})
        labels.of({"level": "INFO", "logger": "x" * 1_000 + str(number)})

    assert (labels.capped, len(labels._known), len(labels._streams)) == (9_951, 50, 50)
