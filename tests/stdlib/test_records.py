"""A record of ``logging``, whatever its state, becomes the parts of an event."""

import logging
import math
import pickle
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.stdlib.records import REPORTED, is_last_line, level_of, name_of, read, was_reported


def record(message: object = "hello", *args: object, name: str = "app", **extra: object) -> logging.LogRecord:
    return logging.getLogger(name).makeRecord(name, logging.INFO, "/srv/app.py", 12, message, args, None, "view", extra)


def test_message_is_formatted() -> None:
    """Positional arguments are put into the message, as `logging` does it."""
    assert read(record("%s paid %d", "ann", 7)).message == "ann paid 7"


def test_single_mapping_serves_named_places() -> None:
    """`%(name)s` takes its value from a single dict argument."""
    assert read(record("%(who)s paid", {"who": "ann"})).message == "ann paid"


@pytest.mark.parametrize(
    ("template", "args", "kept"),
    [
        ("%d", ("x",), ["x"]),
        ("%s %s", ("one",), ["one"]),
        ("no place", ("one", "two"), ["one", "two"]),
        ("%(missing)s", ({"other": 1},), {"other": 1}),
        ("100%", (1,), [1]),
        ("%q", (1,), [1]),
    ],
)
def test_template_error_keeps_raw_arguments(template: str, args: tuple[object, ...], kept: object) -> None:
    """X11: a message that cannot be formatted is recorded as it is, its arguments beside it."""
    parts = read(record(template, *args))

    assert parts.message == template
    assert parts.fields == {"message_args": kept}


@pytest.mark.parametrize(
    "text", ["{}", "{0.__class__}", "%%", "100%", "%(name)s", "${jndi:ldap://x}", "%s%s%s", "{'a': %d}"]
)
def test_data_is_never_a_template(text: str) -> None:
    """X11: neither a message without arguments nor an argument is interpreted."""
    assert read(record(text)).message == text
    assert read(record("%s", text)).message == text


def test_every_extra_key_is_kept() -> None:
    """P43: all of `extra` become fields, in order and unchanged."""
    extra = {"zeta": 1, "alpha": [1, 2], "level": "mine", "request_id": "mine", "data": None, "__class__x": 1}

    fields = read(record("x", **extra)).fields

    assert fields == extra
    assert list(fields) == list(extra)


def test_what_logging_itself_keeps_is_no_field() -> None:
    """P43: `taskName`, and what a formatter has left on the record, are not the user's."""
    made = record("x", user=1)
    made.taskName = "Task-1"
    logging.Formatter("%(asctime)s %(message)s").format(made)

    assert read(made).fields == {"user": 1}


def test_record_is_left_as_it_is() -> None:
    """P30: handlers after ours see the record unchanged."""
    made = record("%s", "x", name="uvicorn.error", color_message="coloured", user=1)
    before = dict(vars(made))

    read(made, source=True)

    assert vars(made) == before


def test_keys_that_are_no_text_are_rendered() -> None:
    """X16: `extra={1: 2}` neither raises nor is lost."""
    made = record("x")
    vars(made)[1] = 2

    assert read(made).fields == {"1": 2}


def test_time_is_that_of_the_record() -> None:
    """The event carries the time of the call, in whole microseconds."""
    made = record("x")
    made.created = 1_767_225_600.123456

    assert read(made).time_ns == 1_767_225_600_123_456_000


@pytest.mark.parametrize("created", [None, "now", math.nan, math.inf, True.__class__])
def test_unusable_time_is_left_to_the_pipeline(created: object) -> None:
    """X16: a record without a usable time gets that of its capture."""
    made = record("x")
    vars(made)["created"] = created

    assert read(made).time_ns is None


def test_exception_and_stack_are_passed_on() -> None:
    """`exc_info` and `stack_info` reach the event."""
    try:
        raise ValueError("bad")
    except ValueError:
        triple = sys.exc_info()
    made = logging.LogRecord("app", 40, "f", 1, "x", None, triple, sinfo="Stack (most recent call last): …")

    parts = read(made)

    assert parts.exc_info is triple
    assert parts.stack == "Stack (most recent call last): …"


def test_traceback_of_another_process_is_kept_as_text() -> None:
    """X16: a record that was pickled has lost its exception, not the text of it."""
    try:
        raise ValueError("bad")
    except ValueError:
        made = logging.LogRecord("app", 40, "f", 1, "x", None, sys.exc_info())
    logging.Formatter().format(made)
    made.exc_info = None

    arrived = pickle.loads(pickle.dumps(made))

    assert "ValueError: bad" in read(arrived).fields["exc_text"]


def test_place_of_the_call_only_if_asked_for() -> None:
    """Where a call stands is off by default, and named as OpenTelemetry names it."""
    made = record("x")

    assert read(made).fields == {}
    assert read(made, source=True).fields == {
        "code.file.path": "/srv/app.py",
        "code.line.number": 12,
        "code.function.name": "view",
    }


def test_uvicorns_access_line_is_read() -> None:
    """P30: the five positional arguments become fields; a query string, which may hold anything, is left out."""
    args = ("127.0.0.1:5000", "GET", "/orders?token=x", "1.1", 200)

    parts = read(record('%s - "%s %s HTTP/%s" %d', *args, name="uvicorn.access"))

    assert parts.message == '127.0.0.1:5000 - "GET /orders HTTP/1.1" 200'
    assert parts.fields == {
        "client_addr": "127.0.0.1:5000",
        "http_method": "GET",
        "path": "/orders",
        "http_version": "1.1",
        "status_code": 200,
    }


def test_uvicorns_websocket_lines_lose_their_query() -> None:
    """Browsers put their token there; the record itself is left as it is."""
    made = record('%s - "WebSocket %s" [accepted]', "127.0.0.1:5000", "/ws?token=x", name="uvicorn.error")

    assert read(made).message == '127.0.0.1:5000 - "WebSocket /ws" [accepted]'
    assert made.args == ("127.0.0.1:5000", "/ws?token=x")


def test_other_lines_of_the_access_logger_are_ordinary() -> None:
    """P30: anything but five arguments is not unpacked."""
    assert read(record("%s %s", 1, 2, name="uvicorn.access")).fields == {}


def test_access_line_of_hypercorn_is_read_without_its_environment() -> None:
    """The mapping that gunicorn and hypercorn pass holds headers and environment; only the request is taken."""
    atoms = {"h": "10.0.0.1:4", "m": "GET", "U": "/x", "s": "404", "{secret}e": "no", "H": "1.1"}

    parts = read(record("%(h)s %(s)s", atoms, name="hypercorn.access"))

    assert parts.fields == {"client_addr": "10.0.0.1:4", "http_method": "GET", "path": "/x", "status_code": 404}


def test_coloured_copy_of_the_message_is_left_out() -> None:
    """uvicorn's `color_message` is a second rendering; another logger's field of that name is the user's."""
    assert read(record("x", name="uvicorn.error", color_message="\x1b[1mx")).fields == {}
    assert read(record("x", color_message="mine")).fields == {"color_message": "mine"}


@pytest.mark.parametrize("missing", sorted(vars(record())))
def test_missing_attribute_does_no_harm(missing: str) -> None:
    """X16: a record of another library may lack anything."""
    made = record("%s", "x", user=1)
    delattr(made, missing)

    parts = read(made, source=True)

    assert parts.fields["user"] == 1
    assert isinstance(name_of(made), str)
    assert isinstance(level_of(made), int)


class Silent:
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize("message", [None, 7, b"bytes", ["list"], {"a": 1}, ValueError("x"), Silent()])
def test_message_of_any_type(message: object) -> None:
    """X16: `msg` may be any object, and `__str__` may raise."""
    assert isinstance(read(record(message)).message, str)
    assert isinstance(read(record(message, 1)).message, str)


@given(st.dictionaries(st.text(), st.one_of(st.none(), st.integers(), st.text(), st.lists(st.integers()))))
def test_reading_never_raises_and_loses_nothing(extra: dict[str, Any]) -> None:
    """Whatever `extra` holds is found among the fields, unless it overwrote what a record needs."""
    made = record("x")
    standard = set(vars(made)) | {"message", "asctime", "taskName"}
    # What OpenTelemetry's instrumentation puts on every record says what the event says anyway.
    standard |= {"otelTraceID", "otelSpanID", "otelTraceSampled", "otelServiceName"}
    vars(made).update(extra)

    fields = read(made).fields

    assert {key: extra[key] for key in extra if key not in standard}.items() <= fields.items()


@pytest.mark.parametrize("level", [0, -5, 10**9, 35])
def test_levels_of_any_number(level: int) -> None:
    """X16: a level is taken as it is."""
    made = record()
    made.levelno = level

    assert level_of(made) == level


@pytest.mark.parametrize("level", [None, "INFO", 1.5])
def test_level_that_is_no_number_counts_as_info(level: object) -> None:
    """X16: no record is refused for its level."""
    made = record()
    vars(made)["levelno"] = level

    assert level_of(made) == logging.INFO


def reported(**attributes: object) -> BaseException:
    error = ValueError("bad")
    vars(error).update(attributes)
    return error


@pytest.mark.parametrize(
    ("name", "exc_info", "expected"),
    [
        ("uvicorn.error", reported(**{REPORTED: True}), True),
        ("hypercorn.error", (ValueError, reported(**{REPORTED: True}), None), True),
        ("uvicorn.error", reported(), False),
        ("uvicorn.error", (None, None, None), False),
        ("uvicorn.error", True, False),
        ("uvicorn.error", None, False),
        ("app", reported(**{REPORTED: True}), False),
        ("uvicorn_extra", reported(**{REPORTED: True}), False),
        ("uvicorn.error", SimpleNamespace(**{REPORTED: True}), False),
    ],
)
def test_second_traceback_is_known_by_its_exception(name: str, exc_info: object, expected: object) -> None:
    """P21: only a server's record of the very exception that was reported is a second traceback."""
    made = record(name=name)
    vars(made)["exc_info"] = exc_info

    assert was_reported(made) is expected


@pytest.mark.parametrize(
    ("name", "message", "expected"),
    [
        ("uvicorn.error", "Finished server process [%d]", True),
        ("uvicorn.error", "Started server process [%d]", False),
        ("app", "Finished server process [%d]", False),
        ("uvicorn.error", 7, False),
    ],
)
def test_last_line_of_uvicorn_is_known(name: str, message: object, expected: object) -> None:
    """After that line, and no other, the process may be gone."""
    assert is_last_line(record(message, name=name)) is expected
