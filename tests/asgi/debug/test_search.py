"""Finding events among the lines that are kept."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fapilog.asgi.debug.search import Wanted, containing, newest, parsed
from fapilog.errors import ConfigError
from fapilog.event import timestamp
from fapilog.levels import LevelTable
from fapilog.recent import Chunk
from fapilog.serializers.json import dump_event

LEVELS = LevelTable()
HOSTILE = '"\\/\n\r\t\x00\x1f\x7f\u2028\u2029\u202eſKßİıΣσςüÜé😀{}[]:,.<>aA7 '
words = st.text(HOSTILE, max_size=6) | st.text(max_size=6)
ids = st.sampled_from(["a", "A", "a-1", 'q"', "\\", "ü", "7", "null"])
loggers = st.sampled_from(["app", "app.db", "apples", "app.", 'a"', "a\\", "ü.x", "", 'x","message":"y']) | words
levels = st.sampled_from(["DEBUG", "INFO", "ERROR", "LEVEL_17", "NOBODY_KNOWS", "info", 'I"', "", 20])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=3,
)


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an event as wild as what comes out of the user's own redactors and processors."""
    event: dict[str, Any] = {
        "timestamp": timestamp(draw(st.integers(-(10**18), 10**19))) if draw(st.integers(0, 9)) else "***",
        "level": draw(levels),
        "logger": draw(loggers),
        "message": draw(words) if draw(st.integers(0, 5)) else draw(values),
    }
    for key in ("request_id", "trace_id"):
        if draw(st.booleans()):
            event[key] = draw(ids | values)
    event |= draw(
        st.dictionaries(words | st.sampled_from(["request_id", "logger", "message", "x"]), values, max_size=3)
    )
    if not draw(st.integers(0, 9)):
        event.pop(draw(st.sampled_from(sorted(event))))
    return event


@st.composite
def questions(draw: st.DrawFn) -> dict[str, str]:
    """Draw a filter."""
    asked = {
        "level": st.sampled_from(["debug", "INFO", "Error", "LEVEL_17"]),
        "logger": loggers,
        "text": words,
        "request_id": ids,
        "trace_id": ids,
    }
    return {key: draw(asked[key]) for key in draw(st.sets(st.sampled_from(sorted(asked)), max_size=3))}


def grave(level: str, least: str) -> bool:
    try:
        return LEVELS.number(level, "") >= LEVELS.number(least, "")
    except ConfigError:
        return True


class Number(str):
    """A number as it is written."""

    __slots__ = ()


def texts(value: Any) -> list[str]:
    """Return everything that can be read in a value."""
    if isinstance(value, dict):
        return [text for key in value for text in [key, *texts(value[key])]]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [value if isinstance(value, str) else {None: "null", True: "true", False: "false"}[value]]


def small(text: str) -> str:
    return text.lower().replace("ς", "σ")


def is_meant(line: bytes, question: dict[str, str]) -> bool:
    """Say what a filter means, the slow way."""
    event = json.loads(line, parse_int=Number, parse_float=Number)
    level, logger = event.get("level"), event.get("logger")
    if "level" in question and not (type(level) is str and grave(level, question["level"])):
        return False
    if "logger" in question:
        wanted = question["logger"]
        if type(logger) is not str or not (logger == wanted or logger.startswith(f"{wanted}.")):
            return False
    for key in ("request_id", "trace_id"):
        if key in question and not (type(event.get(key)) is str and event[key] == question[key]):
            return False
    if "text" in question:
        searched = {key: value for key, value in event.items() if key not in {"timestamp", "level", "logger"}}
        message = texts(searched.pop("message", {}))
        return any(small(question["text"]) in small(text) for text in message + texts(searched))
    return True


@given(st.lists(events(), min_size=1, max_size=5), questions(), st.integers(1, 10**9))
def test_the_short_cuts_find_what_looking_at_everything_finds(
    hostile: list[dict[str, Any]], question: dict[str, str], first: int
) -> None:
    """Bytes are only looked at to save time: which events are found does not depend on it."""
    lines = [dump_event(event) for event in hostile]
    chunk = Chunk(first, len(lines), b"".join(lines))

    found = Wanted(LEVELS, **question).lines(chunk)

    meant = [(n, line[:-1]) for n, line in enumerate(lines, first) if is_meant(line, question)]
    assert found == meant


@given(events(), st.data())
def test_a_text_that_is_there_is_found_in_any_case(event: dict[str, Any], data: st.DataObject) -> None:
    """Quotes, umlauts and line ends are looked for as they were logged, not as JSON writes them."""
    line = dump_event(event)
    there = json.loads(line, parse_int=Number, parse_float=Number)
    searched = [text for key, value in there.items() if key not in {"timestamp", "level", "logger"}
                for text in ([] if key == "message" else [key]) + texts(value)]  # fmt: skip
    if not searched:
        return
    text = data.draw(st.sampled_from(searched))
    start = data.draw(st.integers(0, len(text)))
    part = text[start : start + data.draw(st.integers(1, 5))]

    assert Wanted(LEVELS, text=part).takes(line[:-1])
    assert Wanted(LEVELS, text=part.lower()).takes(line[:-1])


@given(events())
@example({"timestamp": "x", "level": "\r\n", "logger": "\x85", "message": "\u2028\x0b\x0c\x1c"})
def test_a_line_has_no_line_end_inside(event: dict[str, Any]) -> None:
    """What splits lines of server-sent events is escaped in JSON, whatever was logged."""
    line = dump_event(event)

    assert line.endswith(b"\n")
    assert b"\n" not in line[:-1]
    assert b"\r" not in line


def test_the_logger_is_meant_with_those_below_it() -> None:
    """``app`` takes ``app.db`` and not ``apples``."""
    lines = [line_of(logger=name) for name in ("app", "app.db", "apples", "other")]

    assert [Wanted(LEVELS, logger="app").takes(line) for line in lines] == [True, True, False, False]


def test_the_level_and_above() -> None:
    """By number, a user's own levels among them; what nobody knows is not hidden."""
    lines = [line_of(level=name) for name in ("DEBUG", "INFO", "LEVEL_31", "WARNING", "CRITICAL", "WHAT")]

    assert [Wanted(LEVELS, level="warning").takes(line) for line in lines] == [False, False, True, True, True, True]


@pytest.mark.parametrize(
    "text", ["Ü", "ü", 'say "hi"', "HI", "c:\\temp", "two\nlines", "STRASSE", "straße", "ΟΔΌΣ", "σ", "ς", "kelvin"]
)
def test_texts_that_people_look_for(text: str) -> None:
    """Umlauts, quotes, backslashes, line ends, and a letter that depends on what stands beside it."""
    line = line_of(
        message='Ünder C:\\TEMP: say "Hi"',
        note="Two\nLines",
        street="Straße STRASSE",
        odos="οδός",
        sigma="\nΣ",
        unit="\u212aelvin",
    )

    assert Wanted(LEVELS, text=text).takes(line)


@pytest.mark.parametrize("text", ["INFO", "shop", "2026", '"order":7', "message", '","', "nlines", ",", ":", "{", "}"])
def test_what_is_no_content_is_not_found(text: str) -> None:
    """Neither level, logger and time nor the punctuation and escapes of JSON."""
    assert not Wanted(LEVELS, text=text).takes(line_of(message="Paid", order=7, note="two\nlines"))
    assert not Wanted(LEVELS, text=text).takes(line_of(message="Paid", order=7))


@pytest.mark.parametrize("key", ["request_id", "trace_id"])
def test_an_id_is_the_events_own(key: str) -> None:
    """Not one that is told of in a field, and not the beginning of another."""
    wanted = Wanted(LEVELS, **{key: "a"})

    assert wanted.takes(line_of(**{key: "a"}))
    for others in ({"inner": {key: "a"}}, {key: "a-1", "x": [{key: "a"}]}, {key: "A"}, {"message": f'"{key}":"a"'}):
        assert not wanted.takes(line_of(**others))


@pytest.mark.parametrize("key", ["text", "logger", "request_id"])
def test_what_no_line_can_hold_is_not_found(key: str) -> None:
    """A lone surrogate out of a query string is an answer without events."""
    chunk = Chunk(1, 1, line_of() + b"\n")
    wanted = Wanted(LEVELS, **{key: "\ud800"})

    assert wanted.lines(chunk) == []
    assert not wanted.takes(line_of())


def test_a_level_that_nobody_knows_cannot_be_asked_for() -> None:
    """The error names those that can."""
    with pytest.raises(ConfigError, match="CRITICAL"):
        Wanted(LEVELS, level="LOUD")


def test_what_is_learned_of_levels_is_bounded() -> None:
    """A redactor that invents a level for each event takes no memory."""
    wanted = Wanted(LEVELS, level="INFO")
    for number in range(1000):
        assert wanted.takes(line_of(level=f"HOSTILE_{number}"))

    assert len(wanted._passes) <= 200


def test_a_line_that_is_no_event_is_in_no_answer() -> None:
    """Nothing raises for it."""
    assert parsed(b"[1]") is parsed(b"{") is parsed(b"\xff") is None
    assert not Wanted(LEVELS, text="a").takes(b"[1, 'a']")


@given(st.lists(st.lists(st.sampled_from(["DEBUG", "INFO", "ERROR"]), min_size=1, max_size=4), max_size=4),
       st.integers(1, 6), st.integers(0, 1000))  # fmt: skip
def test_the_newest_are_the_end_of_all(batches: list[list[str]], count: int, max_bytes: int) -> None:
    """The last ones, in order, within the bytes; one that is larger than all of them still comes."""
    chunks = chunks_of([[line_of(level=level) for level in batch] for batch in batches])
    wanted = Wanted(LEVELS, level="INFO")
    everything = [found for chunk in chunks for found in wanted.lines(chunk)]

    found = newest(chunks, wanted, count, max_bytes)

    assert found == everything[len(everything) - len(found) :]
    assert len(found) <= count
    size = sum(len(line) for _, line in found)
    assert size <= max_bytes or len(found) == 1
    if len(found) < min(count, len(everything)):
        assert size + len(everything[-len(found) - 1][1]) > max_bytes


@given(st.lists(st.lists(st.sampled_from([b"xy", b"axy", b"xyxy", b"y", b"{}"]), min_size=1, max_size=5), max_size=4))
def test_lines_that_contain_something_have_their_own_numbers(batches: list[list[bytes]]) -> None:
    """Cutting out a few lines gives the same as splitting them all."""
    chunks = chunks_of(batches)
    everything = [found for chunk in chunks for found in Wanted(LEVELS).lines(chunk)]

    found = list(containing(chunks, b"xy"))

    assert found == [(number, line) for number, line in everything if b"xy" in line]


def chunks_of(batches: list[list[bytes]]) -> list[Chunk]:
    chunks, first = [], 1
    for batch in batches:
        chunks.append(Chunk(first, len(batch), b"".join(b"%s\n" % line for line in batch)))
        first += len(batch)
    return chunks


def line_of(**fields: Any) -> bytes:
    event = {"timestamp": timestamp(1_790_000_000_000_000_000), "level": "INFO", "logger": "shop", "message": "Paid"}
    return orjson.dumps({**event, **fields})
