"""The terminal: readable, aligned, and nothing that was logged controls it."""

import datetime
import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog.event import to_event
from fapilog.serializers.pretty import PrettyFormat, choose_color
from fapilog.serializers.readable import LINE_WIDTH, MAX_LINES
from tests.odd_values import fields, keys, values
from tests.serializers.records import NAMES, RESOURCE, encode, encode_events, raised, record, records

SGR = re.compile(r"\x1b\[[0-9;]+m")
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
START = re.compile(r"(?:\d\d:\d\d:\d\d\.\d{3}|--:--:--\.---|\S+) ")


@pytest.fixture(autouse=True)
def _utc(monkeypatch) -> Any:
    """Give the process a zone of which the tests know the offset."""
    monkeypatch.setenv("TZ", "UTC-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def _plain() -> PrettyFormat:
    return PrettyFormat(NAMES, RESOURCE, color=False)


def _coloured() -> PrettyFormat:
    return PrettyFormat(NAMES, RESOURCE, color=True)


def test_a_line_has_time_level_logger_message_and_fields() -> None:
    """The time of day is local, and what is the same on every event is left out."""
    [line] = encode(_plain(), record(fields={"order": 7, "who": "Ada Lovelace", "ok": True, "none": None}))

    assert line == (
        '05:04:05.123 INFO     shop.orders   Order placed                      order=7 who="Ada Lovelace" ok=true '
        "none=null\n"
    )


def test_columns_are_aligned() -> None:
    """Messages start below each other whatever the level and the logger; the logger's column only grows."""
    output = _plain()
    lines = encode(
        output,
        record("first", level=50, logger="a.very.long.name.of.a.logger.indeed"),
        record("second", level=20, logger="b"),
        record("third", level=10, logger="c.d"),
    )

    assert len({line.index(word) for line, word in zip(lines, ("first", "second", "third"), strict=True)}) == 1
    assert " …name.of.a.logger.indeed " in lines[0]


def test_fields_are_aligned_behind_wide_characters() -> None:
    """A CJK character takes two columns of the terminal."""
    narrow, wide = encode(_plain(), record("ab", fields={"k": 1}), record("在庫", fields={"k": 1}))

    assert wide.index("k=1") == narrow.index("k=1") - 2


def test_ids_are_shortened_and_dim() -> None:
    """A request is told apart at the desk by the end of its id; span id and flags are not shown."""
    context = {"request_id": "0191f3a1-7b7d-7c3a-9a1e-8f3a12c9aa01", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"}
    [line] = encode(_plain(), record(context={**context, "span_id": "00f067aa0ba902b7", "trace_flags": "01"}))
    [painted] = encode(_coloured(), record(context=context))
    [whole] = encode(_plain(), record(context={"request_id": "abc"}))

    assert line.endswith("  req=…12c9aa01 trace=…0e0e4736\n")
    assert painted.endswith("\x1b[2mreq=…12c9aa01 trace=…0e0e4736\x1b[0m\n")
    assert whole.endswith("  req=abc\n")


def test_a_field_named_like_a_resource_is_shown_when_it_differs() -> None:
    """``version=2`` of a call is news, the service's own version is not."""
    number, text, same = encode(_plain(), *(record(fields={"version": value}) for value in (2, "1.3", "1.2")))

    assert "version=2" in number
    assert 'version="1.3"' in text
    assert "version" not in same


@pytest.mark.parametrize(
    ("level", "style"), [(10, "34"), (20, "32"), (30, "33"), (40, "1;31"), (50, "1;37;41"), (25, "1")]
)
def test_each_level_has_its_colour(level, style) -> None:
    """A person sees an error without reading."""
    [line] = encode(_coloured(), record(level=level))

    assert f"\x1b[{style}m{NAMES.name(level):8}\x1b[0m" in line


def test_without_colour_there_is_no_escape_sequence() -> None:
    """``color=False`` is text alone."""
    output = "".join(encode(_plain(), record(error=raised(ValueError("x")), fields={"big": {"k": list(range(99))}})))

    assert "\x1b" not in output


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "plain"),
        ("two words", '"two words"'),
        ("", '""'),
        ("7", '"7"'),
        (7, "7"),
        ("null", '"null"'),
        ("127.0.0.1", "127.0.0.1"),
        ('say "hi"', '"say \\"hi\\""'),
        ("a\tb", '"a\\tb"'),
        ({"sku": "a", "n": 1}, '{"sku": "a", "n": 1}'),
        ([1, "b"], '[1, "b"]'),
        (float("nan"), "NaN"),
        (2**70, "1180591620717411303424"),
        pytest.param(10**5000, "<integer of 16610 bits>", id="huge"),
        ("\x1b[2J\x9b1m", '"\\x1b[2J\\x9b1m"'),
        ("evil\u202etxt.exe", "evil\\u202etxt.exe"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("\ud800", "\\ud800"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("❤\ufe0f 在", '"❤\ufe0f 在"'),
    ],
)
def test_a_value_is_shown_so_that_its_type_can_be_told(value, shown) -> None:
    """Texts that look like something else are in quotes; what a terminal would obey or hide is written out."""
    [line] = encode(_plain(), record(fields={"key": value}))

    assert line.endswith(f"  key={shown}\n")


def test_a_key_that_would_break_the_line_is_in_quotes() -> None:
    """One can tell where a field begins."""
    [line] = encode(_plain(), record(fields={"two words": 1, "a=b": 2, "": 3}))

    assert line.endswith('  "two words"=1 "a=b"=2 ""=3\n')


def test_a_text_of_several_lines_is_shown_below_the_line() -> None:
    """SQL, a template, a diff: as it was written, behind a bar."""
    [text] = encode(_plain(), record(fields={"sql": "select *\n\tfrom orders\r\n", "n": 1}))

    head, *below = text.splitlines()
    assert head.endswith("n=1")
    assert below == ["    │ sql:", "    │   select *", "    │       from orders"]


def test_a_large_object_is_laid_out_below_the_line() -> None:
    """What fits on one line stays on it, and numbers are set in rows."""
    value = {"order": {"id": 7, "lines": [{"sku": "a"}]}, "series": list(range(60)), "note": "x" * 60}
    [text] = encode(_plain(), record(fields={"big": value}))

    below = text.splitlines()[1:]
    assert below[:3] == ["    │ big:", "    │   {", '    │     "order": {"id": 7, "lines": [{"sku": "a"}]}']
    assert "    │       0 1 2 3" in "\n".join(below)
    assert max(map(len, below)) <= LINE_WIDTH + len("    │   ")


def test_a_text_of_a_million_lines_is_cut() -> None:
    """A screen shows a bounded number of lines; the JSON format has them all."""
    [text] = encode(_plain(), record("head" + "\nmore" * 10_000, fields={"body": "a\n" * 10_000}))

    assert len(text.splitlines()) <= 2 * MAX_LINES + 10
    assert "more lines" in text


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize("where", ["message", "logger", "key", "value", "nested", "exception", "id", "stack"])
def test_no_part_of_an_event_can_fake_a_line_of_the_log(line_end, where) -> None:
    """3.7.1, H6 (CWE-117): what looks like another event never starts at the left margin."""
    forged = f"x{line_end}12:00:00.000 INFO     shop.admin    Access granted"
    parts: dict[str, Any] = {
        "message": {"message": forged},
        "logger": {"logger": forged},
        "key": {"fields": {forged: 1}},
        "value": {"fields": {"k": forged}},
        "nested": {"fields": {"k": {forged: [forged]}}},
        "exception": {"error": raised(ValueError(forged))},
        "id": {"context": {"request_id": forged}},
        "stack": {"stack": forged},
    }
    [text] = encode(_coloured(), record(**parts[where]))

    lines = SGR.sub("", text).split("\n")
    assert lines.pop() == ""
    assert lines[0].startswith("05:04:05.123 ")
    assert all(line.startswith("    │") for line in lines[1:])
    assert not CONTROL.search("".join(lines))


@given(st.lists(records(), max_size=3))
@settings(max_examples=200, deadline=None)
def test_the_terminal_gets_no_control_character_but_ours(some) -> None:
    """X5: only line ends and our own colours reach the terminal; every colour that is switched on is switched off."""
    for text in encode(_coloured(), *some):
        assert text.endswith("\n")
        assert not CONTROL.search(SGR.sub("", text))
        for line in text.splitlines():
            codes = SGR.findall(line)
            assert codes[1::2] == ["\x1b[0m"] * (len(codes) // 2)
            assert len(codes) % 2 == 0


@given(st.dictionaries(keys, values, max_size=4) | fields)
@settings(max_examples=150, deadline=None)
def test_whatever_a_stage_has_made_of_an_event_is_shown(event) -> None:
    """A stage may take out the time or the level and add any object; the neighbours are there all the same."""
    first, shown, last = encode_events(_plain(), {"message": "before"}, event, {"message": "after"})

    assert "before" in first
    assert "after" in last
    assert not CONTROL.search(shown)
    assert START.match(shown)


@given(records())
@settings(max_examples=100, deadline=None)
def test_a_record_and_its_dict_are_shown_alike(one) -> None:
    """Whether stages are configured does not change what is seen."""
    assert encode(_plain(), one) == encode_events(_plain(), to_event(one, NAMES, RESOURCE))


def test_a_stamp_that_is_no_time_is_shown_as_it_is() -> None:
    """A user's stage may write its own time, or none."""
    lines = encode_events(
        _plain(),
        {"timestamp": "yesterday\x1b[2J", "message": "a"},
        {"message": "b"},
        {"timestamp": datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC), "message": "c"},
        {"timestamp": "0001-01-01T00:00:00Z", "message": "d"},
        {"timestamp": 7, "message": "e"},
    )

    assert [line.split(" ")[0] for line in lines] == [
        "yesterday\\x1b[2J",
        "--:--:--.---",
        "05:04:05.000",
        "02:00:00.000",
        "7",
    ]


def test_a_traceback_reads_like_the_interpreters() -> None:
    """Frames, source lines, the exception; the application's frames stand out, its message is red."""
    [text] = encode(_coloured(), record(error=raised(ValueError("two\nlines of it"))))

    lines = text.splitlines()
    assert [SGR.sub("", line) for line in lines[1:]] == [
        "    │ Traceback (most recent call last):",
        f'    │   File "{raised.__code__.co_filename}", line {raised.__code__.co_firstlineno + 3}, in raised',
        "    │     raise error",
        "    │ ValueError: two",
        "    │ lines of it",
    ]
    assert "\x1b[33m  File" in lines[2]
    assert "\x1b[1;31mValueError: two" in lines[4]
    assert "\x1b[31mlines of it" in lines[5]


def test_frames_of_libraries_are_dim() -> None:
    """The eye finds the own code between those of the framework."""
    trace = (
        "Traceback (most recent call last):\n"
        '  File "/venv/lib/python3.11/site-packages/starlette/routing.py", line 1, in app\n'
        "    await x\n"
        '  File "/srv/shop/views.py", line 2, in view\n'
        "    pay()\n"
        "Declined: no\n"
    )
    [text] = encode_events(_coloured(), {"exception": {"type": "Declined", "message": "no", "stacktrace": trace}})

    _, _, library, its_code, own, own_code, final = text.splitlines()
    assert "\x1b[2m  File" in library
    assert "\x1b[2m    await x" in its_code
    assert "\x1b[33m  File" in own
    assert own_code.endswith("    pay()")
    assert "\x1b[1;31mDeclined: no" in final


def test_causes_and_groups_are_shown() -> None:
    """The whole chain, and each member of a group."""
    cause = KeyError("sku")
    error = RuntimeError("could not price")
    error.__cause__ = cause
    [text] = encode(_plain(), record(error=ExceptionGroup("both", [raised(error), TimeoutError("late")])))

    assert "    │ ExceptionGroup: both (2 sub-exceptions)\n" in text
    assert "KeyError: 'sku'" in text
    assert "The above exception was the direct cause of the following exception:" in text
    assert "RuntimeError: could not price" in text
    assert "TimeoutError: late" in text


def test_an_exception_without_its_stack_trace_is_shown_from_its_parts() -> None:
    """A user's stage may have taken the text out, or put something else there."""
    parts = {
        "type": "E",
        "message": "m",
        "frames": [{"file": "f.py", "line": 1, "function": "g", "code": "h()"}, None],
        "cause": {"type": "C", "message": "c"},
        "group": [{"type": "M", "message": "m1"}, 7],
    }
    [text] = encode_events(_plain(), {"exception": parts})
    [odd] = encode_events(_plain(), {"exception": ["not", "an", "object"]})

    lines = [line.removeprefix("    │").strip() for line in text.splitlines()[1:]]
    assert lines[0] == "C: c"
    assert 'File "f.py", line 1, in g' in lines
    assert "h()" in lines
    assert "E: m" in lines
    assert "| M: m1" in lines
    assert "['not', 'an', 'object']" in odd


def test_an_event_that_cannot_be_read_is_told_and_costs_no_neighbour() -> None:
    """Even a dict that raises when it is walked, and a record that is none, leave a line."""

    class Broken(dict[str, Any]):
        def items(self) -> Any:
            raise OSError

    lines = encode_events(_plain(), {"message": "a"}, Broken(), {"message": "b"})
    [bad] = encode(_plain(), ("no", "record"))  # type: ignore[arg-type]

    assert "<event cannot be shown: OSError>" in lines[1]
    assert lines[2].rstrip().endswith("b")
    assert "<event cannot be shown: ValueError" in bad


@pytest.mark.parametrize(
    ("environ", "on_terminal", "elsewhere"),
    [
        ({}, True, False),
        ({"TERM": "xterm-256color"}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"NO_COLOR": "0"}, False, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, True, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
    ],
)
def test_the_environment_decides_on_colour(environ, on_terminal, elsewhere) -> None:
    """NO_COLOR, FORCE_COLOR and TERM=dumb, each by its convention."""
    assert choose_color(True, environ) is on_terminal
    assert choose_color(False, environ) is elsewhere
