"""No secret is shown of a span: whatever place it is in, whatever preset, and if a redactor fails."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import (
    StatusCode,
)

from fapilog import _runtime
from fapilog.builders import LoggerBuilder
from fapilog.otel.cut_spans import MOST_TEXT
from fapilog.otel.shown_spans import WITHHELD
from fapilog.sinks.memory import MemorySink
from tests.otel.signals import ended, id_of
from tests.redaction.canaries import AWS, BEARER, GITHUB, PASSWORD, PEM, SECRETS, SIGNED_URL, URL, found_in

PRESETS = ["minimal", "dev", "production", "fastapi", "serverless", "hardened"]


def secret_span(provider: TracerProvider) -> Any:
    """Return a span that has each secret in each place that has room for it."""
    span: Any = provider.get_tracer("tests").start_span(f"call with {BEARER}")
    span.set_attributes(
        {
            "password": PASSWORD,
            "http.request.header.authorization": [f"Basic {PASSWORD}", BEARER],
            "http.request.header.x-note": [GITHUB],
            "db.statement": f"select * from t where token = '{GITHUB}' -- {URL}",
            "db.connection_string": URL,
            "url.query": f"page=1&access_token={PASSWORD}",
            "url.full": SIGNED_URL,
            "body": json.dumps({"password": PASSWORD, "inner": json.dumps({"api_key": PASSWORD})}),
            "nested": {"deep": [{"Api-Key": PASSWORD}, GITHUB]},
            "message": f"message with {AWS}",
            "level": BEARER,
            "logger": GITHUB,
            "timestamp": URL,
            "trace_id": GITHUB,
            "exception": BEARER,
            f"key {GITHUB}": 1,
            "pem": PEM,
        }
    )
    span.add_event(f"sent {GITHUB}", {"note": BEARER, "api_key": PASSWORD, "message": URL})
    try:
        raise ValueError(f"cannot reach {URL} with {BEARER}") from KeyError(GITHUB)
    except ValueError as error:
        error.add_note(f"password={PASSWORD}\n{PEM}")
        span.record_exception(error)
    span.set_status(StatusCode.ERROR, f"failed for {AWS} at {SIGNED_URL}")
    span.end()
    return span


@pytest.mark.parametrize("preset", PRESETS)
def test_no_secret_is_shown(preset: str, provider: TracerProvider) -> None:
    """Whatever preset: names, values, attributes of events, status; the ids are there."""
    logger = LoggerBuilder().with_preset(preset).build()
    kept = _runtime.span_watch().kept(provider, 100)
    assert kept is not None
    span = secret_span(provider)
    (shown,) = kept.of_trace(id_of(span))
    logger.drain()

    assert found_in(json.dumps(shown)) == []
    assert shown["trace_id"] == id_of(span)
    assert shown["attributes"]["password"] == "***"
    assert shown["events"][1]["attributes"]["exception.type"] == "ValueError"


@pytest.mark.parametrize("preset", PRESETS)
def test_no_secret_is_shown_of_a_span_that_was_cut(preset: str, provider: TracerProvider) -> None:
    """A cut goes through no secret, wherever it falls; half of one would be recognised by nobody."""
    logger = LoggerBuilder().with_preset(preset).build()
    kept = _runtime.span_watch().kept(provider, 100)
    assert kept is not None
    cuts = 0
    for before in range(1_960, 2_060, 3):
        for secret in (BEARER, GITHUB, URL, f"password={PASSWORD}", AWS, PEM):
            span: Any = provider.get_tracer("tests").start_span("x" * MOST_TEXT)
            span.add_event("e", {"text": f"{'word ' * (before // 5)}{'y' * (before % 5)} {secret} after"})
            span.end()
            (shown,) = kept.of_trace(id_of(span))
            text = json.dumps(shown["events"], ensure_ascii=False)
            cuts += "…[cut, " in text
            assert not any(secret[: len(secret) * 2 // 3] in text for secret in SECRETS), (before, secret)
    logger.drain()

    assert cuts > 50


def test_the_canaries_would_be_seen(provider: TracerProvider) -> None:
    """With redaction off every one of them is shown: the tests above can fail."""
    logger = LoggerBuilder().with_redaction(enabled=False).build()
    kept = _runtime.span_watch().kept(provider, 100)
    assert kept is not None
    shown = kept.of_trace(id_of(secret_span(provider)))
    logger.drain()

    assert set(found_in(json.dumps(shown))) == set(SECRETS)


def test_rules_of_the_user_hold_for_spans(provider: TracerProvider) -> None:
    """Names, paths, patterns and a redactor of one's own; what it puts in is shown, what events have is not."""

    def redact(event: dict[str, Any]) -> dict[str, Any]:
        assert {"timestamp", "level", "logger", "message"} <= set(event)
        return {key: value for key, value in event.items() if key != "ssn"} | {"seen": True}

    builder = LoggerBuilder().with_redaction(fields=["pet", "user.email"], patterns=[r"order-\d+"])
    logger = builder.with_redactor(redact).build()
    kept = _runtime.span_watch().kept(provider, 100)
    assert kept is not None
    attributes = {"pet": "cat", "user.email": "ann@example.org", "note": "order-7", "ssn": "078-05-1120", "n": 1}
    (shown,) = kept.of_trace(id_of(ended(provider, "of order-8", **attributes)))
    logger.drain()

    assert shown["name"] == "of ***"
    assert shown["attributes"] == {"pet": "***", "user.email": "***", "note": "***", "n": 1, "seen": True}


@pytest.mark.parametrize("result", [None, "raises"])
def test_a_redactor_that_fails_shows_nothing(result: Any, provider: TracerProvider, capfd: Any) -> None:
    """Names, attributes and texts are withheld, ids and times are there; what was raised is not told."""

    def redact(event: dict[str, Any]) -> Any:
        if result is None:
            return None
        raise ValueError(f"cannot handle {event.get('password')}")

    logger = LoggerBuilder().with_redactor(redact).build()
    kept = _runtime.span_watch().kept(provider, 100)
    assert kept is not None
    span = secret_span(provider)
    (shown,) = kept.of_trace(id_of(span))
    logger.drain()

    assert found_in(json.dumps(shown) + capfd.readouterr().err) == []
    assert (shown["name"], shown["trace_id"]) == (WITHHELD, id_of(span))
    assert shown["attributes"] == {"redaction": WITHHELD}
    assert shown["status"] == {"code": "ERROR", "description": WITHHELD}


def test_it_is_redacted_as_the_default_engine_would_now(provider: TracerProvider) -> None:
    """Not as the one that was the default when the span ended; or as whoever looks says."""
    first = LoggerBuilder().with_redaction(fields=["pet"]).build()
    kept = _runtime.span_watch().kept(provider, 100)
    assert kept is not None
    span = ended(provider, pet="cat", toy="ball")
    assert kept.of_trace(id_of(span))[0]["attributes"] == {"pet": "***", "toy": "ball"}
    _runtime.configure(builder=LoggerBuilder().with_redaction(fields=["toy"]))
    (now,), (other,) = kept.of_trace(id_of(span)), kept.of_trace(id_of(span), lambda _: {"a": 1})
    _runtime.get_logger().drain()
    first.drain()

    assert now["attributes"] == {"pet": "cat", "toy": "***"}
    assert other["attributes"] == {"a": 1}


def test_a_users_redactor_is_run_by_one_thread_at_a_time(provider: TracerProvider) -> None:
    """It may have been written for the worker alone, which runs it while somebody looks."""
    free: list[bool] = []

    def redact(event: dict[str, Any]) -> dict[str, Any]:
        thread = threading.Thread(target=lambda: free.append(lock.acquire(blocking=False)))
        thread.start()
        thread.join()
        return event

    logger = LoggerBuilder().with_redactor(redact).add_memory().build()
    lock = _runtime.default_engine().redact_fields.lock
    kept = _runtime.span_watch().kept(provider, 100)
    assert kept is not None
    span = ended(provider, a=1)
    logger.info("event")
    logger.drain()
    by_worker = len(free)
    kept.of_trace(id_of(span))

    assert (by_worker, len(free) > by_worker) == (1, True)
    assert not any(free)


class OnRecords:
    """A redactor of the user's that takes captured records, too."""

    def __call__(self, event: dict[str, Any]) -> dict[str, Any]:
        """Hide what it knows."""
        return {**event, "pet": "***"}

    def redact_records(self, records: Any) -> Any:
        """Hide the same."""
        return [(*record[:4], {**record[4], "pet": "***"}, *record[5:]) for record in records]


def test_a_redactor_of_records_stays_one(provider: TracerProvider) -> None:
    """Being shared with the console does not make an engine build a dict of each event."""
    memory = MemorySink()
    logger = LoggerBuilder().with_redactor(OnRecords()).add_sink(memory).build()
    kept = _runtime.span_watch().kept(provider, 100)
    assert kept is not None
    logger.info("event", pet="cat")
    (shown,) = kept.of_trace(id_of(ended(provider, pet="cat")))
    logger.drain()

    assert _runtime.default_engine()._stages.raw
    assert shown["attributes"]["pet"] == memory.events[0]["pet"] == "***"


def test_a_journal_and_the_console_share_one_lock(provider: TracerProvider, tmp_path: Path) -> None:
    """With a journal the user's redactors run at the call: the console waits for the same lock."""
    logger = LoggerBuilder().with_redactor(OnRecords()).with_journal(tmp_path).add_memory().build()
    engine = _runtime.default_engine()
    kept = _runtime.span_watch().kept(provider, 100)
    assert kept is not None
    logger.info("event", pet="cat")
    (shown,) = kept.of_trace(id_of(ended(provider, pet="cat")))
    logger.drain()

    assert engine.redact_fields._holder is engine._journaling
    assert shown["attributes"]["pet"] == "***"


def test_a_forked_child_has_a_lock_of_its_own() -> None:
    """The thread that held it in the parent is not there to give it back."""
    logger = LoggerBuilder().build()
    engine = _runtime.default_engine()
    engine.redact_fields.lock.acquire()
    before = engine.redact_fields.lock
    engine.after_fork()
    after = engine.redact_fields.lock
    before.release()
    logger.drain()

    assert after is not before
