"""Records as the log calls make them, without an engine."""

from typing import Any

from hypothesis import strategies as st

from fapilog.coerce import to_plain_fields
from fapilog.event import Extra, Origin, Record
from fapilog.levels import LevelTable
from fapilog.logger.tracebacks import capture_exception
from tests.odd_values import fields, texts

NAMES = LevelTable()
RESOURCE = {"service": "shop", "env": "dev", "version": "1.2", "host": "h", "pid": 7}
TIME_NS = 1_767_323_045_123_456_789


def record(
    message: str = "Order placed",
    *,
    level: int = 20,
    logger: str = "shop.orders",
    fields: dict[str, Any] | None = None,
    context: dict[str, Any] | None = None,
    error: BaseException | None = None,
    stack: str | None = None,
    time_ns: int = TIME_NS,
) -> Record:
    """Return a record of these parts."""
    extra = Extra(capture_exception(error), stack) if error is not None or stack is not None else None
    return Record(
        time_ns,
        level,
        Origin(logger, None),  # type: ignore[arg-type] - nothing is submitted
        message,
        to_plain_fields(fields or {}),
        {},
        to_plain_fields(context or {}),
        {},
        None,
        extra,
    )


def raised(error: BaseException) -> BaseException:
    """Return the exception with a traceback."""
    try:
        raise error
    except BaseException as caught:  # noqa: BLE001 - whatever it is
        return caught


def encode(output_format: Any, *records: Record) -> list[str]:
    """Return what a format makes of each record, line end included, as strict UTF-8."""
    lines = output_format.encode_records(records)
    assert len(lines) == len(records)
    return [line.decode("utf-8") for line in lines]


def encode_events(output_format: Any, *events: dict[Any, Any]) -> list[str]:
    """Return what a format makes of each flat dict."""
    lines = output_format.encode_events(events)
    assert len(lines) == len(events)
    return [line.decode("utf-8") for line in lines]


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Draw a record with anything in it."""
    error = draw(st.none() | st.builds(ValueError, texts).map(raised))
    return record(
        draw(texts),
        level=draw(st.sampled_from([10, 20, 25, 30, 40, 50])),
        logger=draw(texts),
        fields=draw(fields),
        context=draw(st.dictionaries(texts, texts, max_size=2)),
        error=error,
        stack=draw(st.none() | texts),
        time_ns=draw(st.integers(min_value=-(2**63), max_value=2**63)),
    )
