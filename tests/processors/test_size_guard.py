"""The size guard: no line over the limit, nothing of ours lost, and what was cut is told."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog.errors import ConfigError
from fapilog.event import RESERVED, RESOURCE_KEYS, to_event
from fapilog.processors.size_guard import SizeGuard, SizeGuardOptions
from fapilog.serializers.json import dump_event
from tests.odd_values import scalars, texts, values
from tests.serializers.records import NAMES, RESOURCE, record, records

LIMIT = 2_000
OWN = {*RESERVED, *RESOURCE_KEYS} - {"message"}


def guard(max_bytes: int | str = LIMIT, *protected: str) -> SizeGuard:
    return SizeGuard(SizeGuardOptions(max_bytes, protected))


def event(message: str = "Order placed", **fields: Any) -> dict[str, Any]:
    return to_event(record(message, context={"request_id": "r-1"}), NAMES, RESOURCE) | fields


def size(one: dict[str, Any]) -> int:
    return len(dump_event(one))


def test_an_event_that_fits_is_the_same_object() -> None:
    """What is short goes on untouched."""
    one = event(order=7, items=[1, 2], nothing=None)

    assert guard()(one) is one
    assert "size_guard" not in one


def test_the_limit_itself_fits() -> None:
    """A line of exactly the limit is not cut; one byte more is."""
    one = event(body="x" * 1_000)
    limit = size(one)

    assert guard(limit)(one) is one
    assert size(guard(limit - 1)(one)) <= limit - 1


def test_the_largest_field_is_cut_and_named() -> None:
    """The long text keeps its beginning and tells its length; the others are whole."""
    one = event(order=7, note="short", body="x" * 50_000)

    result = guard()(one)

    assert size(result) <= LIMIT
    assert {key: value for key, value in result.items() if key not in {"body", "size_guard"}} == {
        key: value for key, value in one.items() if key != "body"
    }
    assert result["body"].startswith("xxx")
    assert result["body"].endswith("…[cut, 50000 characters]")
    assert result["size_guard"] == {"original_bytes": size(one), "cut": ["body"]}
    assert size(result) > LIMIT - 600, "room is used"


def test_large_fields_share_the_room_and_small_ones_stay_whole() -> None:
    """All that are too large are cut to about the same size, wherever they stand."""
    result = guard(10_000)(event(a="a" * 300_000, b="b" * 9_000, c="c" * 500))

    assert result["c"] == "c" * 500
    assert abs(len(result["a"]) - len(result["b"])) < 20
    assert result["size_guard"]["cut"] == ["a", "b"]


def test_inside_an_object_the_large_member_gives_way() -> None:
    """A long text in an object does not cost its neighbours."""
    result = guard()(event(payload={"id": 7, "raw": "x" * 9_000, "kind": "order"}))

    assert result["payload"]["id"] == 7
    assert result["payload"]["kind"] == "order"
    assert result["payload"]["raw"].endswith("…[cut, 9000 characters]")


def test_an_array_loses_items_from_its_end() -> None:
    """The first items are whole; a note tells how many there were."""
    result = guard()(event(rows=[{"id": number} for number in range(1_000)]))

    assert result["rows"][:3] == [{"id": 0}, {"id": 1}, {"id": 2}]
    assert result["rows"][-1] == "<cut: 1000 items>"


def test_a_single_large_item_is_cut_inside() -> None:
    """An array of one huge text is not emptied."""
    result = guard()(event(rows=["x" * 9_000]))

    assert len(result["rows"]) == 1
    assert result["rows"][0].endswith("…[cut, 9000 characters]")


def test_an_exception_keeps_type_message_and_the_start_of_its_trace() -> None:
    """Frames and stack trace share the room."""
    trace = {"type": "ValueError", "message": "no", "stacktrace": "line\n" * 5_000, "frames": [{"file": "a"}] * 900}

    result = guard()(event(exception=trace))

    assert result["exception"]["type"] == "ValueError"
    assert result["exception"]["message"] == "no"
    assert result["exception"]["stacktrace"].startswith("line\nline")
    assert result["exception"]["frames"][-1] == "<cut: 900 items>"


def test_a_message_is_kept_while_it_fits() -> None:
    """Fields are cut before the message."""
    result = guard()(event("m" * 1_000, body="x" * 9_000))

    assert result["message"] == "m" * 1_000
    assert result["size_guard"]["cut"] == ["body"]


def test_a_message_that_is_too_large_by_itself_is_cut() -> None:
    """Small fields are not the price for it."""
    result = guard()(event("m" * 9_000, order=7, note="short"))

    assert result["message"].endswith("…[cut, 9000 characters]")
    assert (result["order"], result["note"]) == (7, "short")
    assert result["size_guard"]["cut"] == ["message"]


def test_protected_fields_are_whole() -> None:
    """Also if everything else has to go."""
    result = guard(LIMIT, "audit")(event(audit="a" * 1_200, body="x" * 9_000))

    assert result["audit"] == "a" * 1_200
    assert size(result) <= LIMIT


def test_a_protected_part_over_the_limit_is_written_and_told() -> None:
    """What cannot be cut is not cut; the marker says that the line is too long."""
    result = guard(LIMIT, "audit")(event("m" * 900, audit="a" * 9_000, body="x" * 9_000))

    assert result["audit"] == "a" * 9_000
    assert result["message"].endswith("…[cut, 900 characters]")
    assert result["size_guard"]["over_limit"] is True
    assert result["size_guard"]["removed"] == ["body"]


def test_many_fields_lose_the_last_ones_and_the_marker_stays_small() -> None:
    """Names in the marker are limited; the rest is a number."""
    result = guard()(event(**{f"field_{number}": "x" * 100 for number in range(1_000)}))
    marker = result["size_guard"]

    assert size(result) <= LIMIT
    assert result["field_0"] == "x" * 100
    gone = sum(f"field_{number}" not in result for number in range(1_000))
    assert gone == len(marker["removed"]) + marker["more"] - len([k for k in marker.get("cut", ()) if k not in result])


def test_a_name_of_ours_with_a_long_value_is_a_field() -> None:
    """A field may take the name `host`; it does not take the limit with it."""
    result = guard()(event(host="h" * 9_000))

    assert size(result) <= LIMIT
    assert result["size_guard"]["cut"] == ["host"]


def test_a_field_named_like_the_marker_is_kept_under_another_name() -> None:
    """The marker is not the application's to write."""
    result = guard()(event(size_guard="mine", body="x" * 9_000))

    assert result["size_guard_"] == "mine"
    assert result["size_guard"]["cut"] == ["body"]


def test_a_second_guard_adds_to_the_marker_of_the_first() -> None:
    """The size it came with and the lengths of texts stay those of the original."""
    one = event(body="x" * 50_000)

    result = guard(LIMIT)(guard(20_000)(one))

    assert result["size_guard"] == {"original_bytes": size(one), "cut": ["body"]}
    assert result["body"].endswith("…[cut, 50000 characters]")


@pytest.mark.parametrize(
    "text", ['"' * 5_000, "\\" * 5_000, "\x01" * 5_000, "é" * 5_000, "😀" * 5_000, "\ud800" * 5_000]
)
def test_a_cut_falls_between_characters(text: str) -> None:
    """Quotes, backslashes, control characters and characters of several bytes are whole or gone."""
    for limit in range(1_000, 1_020):
        result = guard(limit)(event(body=text))

        assert size(result) <= limit
        kept, note = result["body"].split("…[cut, ")
        assert note.endswith(" characters]")
        assert set(kept) <= {text[0]} if text[0] != "\ud800" else "\\ud800" * 5_000


def test_not_a_number_counts_with_the_text_it_becomes() -> None:
    """JSON has no NaN; what stands for it is longer than the `null` that a quick look sees."""
    one = event(series=[float("-inf")] * 300)

    assert size(one) > 3_000
    assert size(guard(3_000)(one)) <= 3_000


def test_what_other_events_share_is_not_written_to() -> None:
    """Nested containers stay as they are; so does the given event."""
    shared = {"rows": [{"text": "x" * 5_000}, {"text": "y" * 5_000}], "deep": {"list": list(range(2_000))}}
    one = event(shared=shared, nan=float("inf"))
    before = copy.deepcopy(one)

    guard()(one)

    assert one == before
    assert one["shared"] is shared


_nested = st.recursive(
    scalars | texts.map(lambda text: text * 300),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(texts, inner, max_size=6),
    max_leaves=12,
)


@given(
    records(),
    st.dictionaries(texts | st.sampled_from(["body", "size_guard", "host", "level_"]), _nested | values, max_size=8),
    st.integers(min_value=1_000, max_value=6_000),
    st.sets(st.sampled_from(["body", "stack", "exception", "message"]), max_size=2),
)
@settings(max_examples=150, deadline=None)
def test_no_line_is_over_the_limit(one, extra, limit, protected) -> None:
    """Or what cannot be cut is; ours and the protected fields are whole, the rest is JSON, twice is like once."""
    given_event = to_event(one, NAMES, RESOURCE) | {k: v for k, v in extra.items() if k not in RESERVED}
    line = dump_event(given_event)
    original = json.loads(line)
    subject = guard(limit, *protected)

    result = subject(given_event)

    assert dump_event(given_event) == line
    written = dump_event(result)
    parsed = json.loads(written, parse_constant=pytest.fail)
    whole = {
        key: value
        for key, value in original.items()
        if key in protected or (key in OWN and len(json.dumps(value)) <= 900)
    }
    assert {key: parsed[key] for key in whole} == whole
    assert isinstance(parsed["message"], str)
    if len(line) <= limit:
        assert written == line
    elif len(written) > limit:
        assert parsed["size_guard"]["over_limit"] is True
        least = {key: value for key, value in parsed.items() if key in protected or key in OWN or key == "message"}
        assert parsed.keys() == {*least, "size_guard"}
    else:
        assert parsed["size_guard"]["original_bytes"] == len(line)
        assert "over_limit" not in parsed["size_guard"]
    assert dump_event(subject(result)) == written


@pytest.mark.parametrize("wrong", ["0 KB", 0, 999, -1, True, None, "lots", float("nan"), [1]])
def test_a_wrong_limit_is_refused(wrong: Any) -> None:
    """At the build, with the method's name."""
    with pytest.raises(ConfigError, match=r"with_size_guard\(max_bytes\)"):
        SizeGuardOptions(max_bytes=wrong)


@pytest.mark.parametrize("wrong", ["body", 7, None, [""], [1]])
def test_wrong_protected_names_are_refused(wrong: Any) -> None:
    """One text is not a list of names."""
    with pytest.raises(ConfigError, match=r"with_size_guard\(protected\)"):
        SizeGuardOptions(protected=wrong)
