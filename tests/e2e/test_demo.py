"""`make demo` is the main job: it must end by itself, say so, and notice a loss."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from example_app.demo import __main__ as demo
from example_app.demo import checks, collector, traces
from example_app.demo.server import DemoFailedError
from example_app.demo.traffic import Answer
from fapilog.sinks.otlp.records import encode

ROOT = Path(__file__).parents[2]
DRAIN = dict.fromkeys(("filtered", "dropped", "failed", "in_flight"), 0) | {"timed_out": False}


def test_the_demo_loses_nothing() -> None:
    """It ends with status 0 and its closing line; what it prints before is for a person."""
    done = subprocess.run(
        [sys.executable, "-m", "example_app.demo"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    closing = re.fullmatch(
        r"demo: (\d+) requests, (\d+) events submitted, (\d+) delivered, (\d+) repetitions summed up, 0 lost", lines[-1]
    )
    assert closing is not None, lines[-1]
    requests, submitted, delivered, repeated = map(int, closing.groups())
    assert requests > 300
    assert repeated > 0
    assert submitted == delivered + repeated
    assert not [secret for secret in checks.SECRETS if secret in done.stdout]
    assert len(lines) < 350
    shown = done.stdout.partition("in the output of the collector")[2].partition("──")[2].partition("\n── ")[0]
    if collector.why_not() is not None:
        assert shown.strip() == f"left out: {collector.why_not()}"
        return
    check_story(shown, done.stdout)
    found = re.search(r"in all: (\d+) log records, the same as the log file's (\d+), and (\d+) spans", shown)
    assert found is not None
    records, file_lines, spans = map(int, found.groups())
    assert records == file_lines == delivered
    assert spans > requests


def check_story(shown: str, everything: str) -> None:
    """The collector's part names the request, its trace as the log file has it, its spans and its log records."""
    trace_id = re.findall(r"request 'order' is trace ([0-9a-f]{32})", shown)[0]
    [completion] = re.findall(r'^{.*"message":"request_completed","request_id":"order".*}$', everything, re.MULTILINE)
    completion = json.loads(completion)
    assert completion["trace_id"] == trace_id
    assert re.search(rf"POST /api/orders +server +[0-9.]+ ms +{completion['span_id']}", shown)
    [job_span, job_trace] = re.findall(
        r"send_receipt +internal +[0-9.]+ ms +([0-9a-f]{16})  trace ([0-9a-f]{8})", shown
    )[0]
    assert f"{job_span}  trace {job_trace}…, caused by {trace_id[:8]}…" in shown
    assert re.search(r"send otlp +client", shown), "the delivery that shipped the request's events"
    for message in ("Only 2 left of Last tin of matcha", "Order placed", "Receipt sent", "request_completed"):
        assert shown.count(message) == 1


def test_without_a_collector_the_rest_is_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    """Where rotel is missing, one line says so, and the demo ends well."""
    monkeypatch.setattr(collector, "why_not", lambda: "rotel is not installed")
    assert demo.main() == 0
    out = capsys.readouterr().out
    assert "in the output of the collector ──\n  left out: rotel is not installed\n" in out
    assert out.splitlines()[-1].endswith("0 lost")


EVENT = {
    "timestamp": "2026-11-21T09:00:00.000001Z",
    "level": "INFO",
    "logger": "fapilog.request",
    "message": "request_completed",
    "request_id": "a",
    "trace_id": "ab" * 16,
    "span_id": "cd" * 8,
}


def collected(*records: dict[str, Any], spans: int = 1, **span: Any) -> Any:
    """Return what a collector would have got."""
    request = encode(records, {}, 0)
    receiver = object.__new__(collector.Receiver)
    receiver.bodies = [(collector.LOGS_PATH, request.SerializeToString())]
    sent = ExportTraceServiceRequest()
    for _ in range(spans):
        added = sent.resource_spans.add().scope_spans.add().spans.add()
        added.trace_id, added.span_id = bytes.fromhex(EVENT["trace_id"]), bytes.fromhex(EVENT["span_id"])
        added.kind = span.get("kind", Span.SPAN_KIND_SERVER)
    receiver.bodies.append((collector.SPANS_PATH, sent.SerializeToString()))
    return receiver


def test_what_a_collector_has_otherwise_is_noticed() -> None:
    """A record that is missing, there twice, or has another id fails the demo; so do none or two server spans."""
    assert traces.check_collected([EVENT], collected(EVENT)) == (1, 1)
    for wrong in (collected(), collected(EVENT, EVENT), collected({**EVENT, "trace_id": "ff" * 16})):
        with pytest.raises(DemoFailedError, match="of 1 events of the log file"):
            traces.check_collected([EVENT], wrong)
    for odd in (collected(EVENT, spans=0), collected(EVENT, spans=2), collected(EVENT, kind=Span.SPAN_KIND_CLIENT)):
        with pytest.raises(DemoFailedError, match=r"^a: .*server span"):
            traces.check_collected([EVENT], odd)


def test_work_that_is_not_linked_is_noticed() -> None:
    """A request of which no background work is linked to it fails the demo."""
    with pytest.raises(DemoFailedError, match="no work of it is linked"):
        list(traces.story("a", [EVENT], collected(EVENT)))


def test_a_lost_event_is_noticed() -> None:
    """The demo compares the drain's figures with the lines in the file."""
    nine = [{"message": "Order placed"}] * 9
    with pytest.raises(DemoFailedError, match="the file has 9 lines"):
        checks.check_drain({**DRAIN, "submitted": 10, "delivered": 10}, nine)
    with pytest.raises(DemoFailedError, match="'dropped': 1"):
        checks.check_drain({**DRAIN, "submitted": 10, "delivered": 9, "dropped": 1}, nine)


def test_what_is_held_back_has_to_be_told() -> None:
    """Every event that was filtered is in the count of a summary; one that is not is a loss."""
    lines = [{"message": "Supplier does not answer"}, {"message": "events repeated", "count": 4}]
    drain = {**DRAIN, "submitted": 6, "delivered": 2, "filtered": 4}

    checks.check_drain(drain, lines)
    with pytest.raises(DemoFailedError, match="which tell of 4 repetitions"):
        checks.check_drain({**drain, "submitted": 7, "filtered": 5}, lines)


def test_a_secret_is_noticed() -> None:
    """A log that shows one fails the demo, and so does a log in which nothing had to be hidden."""
    with pytest.raises(DemoFailedError, match="shows"):
        checks.check_secrets(f"*** and {checks.SECRETS[0]}")
    with pytest.raises(DemoFailedError, match="nothing in the log is masked"):
        checks.check_secrets("Shop opened")


def test_a_misrouted_error_is_noticed() -> None:
    """The file of errors has all errors and nothing else."""
    log = [{"message": "a", "level": "INFO"}, {"message": "b", "level": "ERROR"}]

    checks.check_errors(log, log[1:])
    for wrong in ([], log):
        with pytest.raises(DemoFailedError, match="1 of the log are errors"):
            checks.check_errors(log, wrong)


@pytest.mark.parametrize(
    "events",
    [
        [],
        [{"message": "request_completed", "request_id": "a", "status_code": 500, "outcome": "server_error"}],
        [{"message": "request_completed", "request_id": "a", "status_code": 200, "outcome": "ok"}] * 2,
    ],
    ids=["none", "another status", "two"],
)
def test_a_wrong_completion_is_noticed(events: list[checks.Event]) -> None:
    """An answer without its one right completion event fails the demo."""
    with pytest.raises(DemoFailedError, match=r"^a: "):
        checks.check_answers([Answer("a", 200)], events)


def test_a_broken_line_is_noticed(tmp_path: Path) -> None:
    """A line that is not JSON fails the demo, by file and number."""
    file = tmp_path / "shop.jsonl"
    file.write_text('{"message": "whole"}\n{"message": "hal', "utf-8")

    with pytest.raises(DemoFailedError, match=r"shop\.jsonl:2"):
        checks.read_events(file)
