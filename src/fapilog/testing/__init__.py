"""For tests of applications that log with fapilog, and of sinks written for it.

    from fapilog.testing import capture_logs

    with capture_logs() as logs:
        place_order()
    assert logs.find("order placed", order=7)

``capture`` catches events, ``fakes`` are a clock and sinks that misbehave, ``contracts`` holds a sink to what
the engine expects of it, ``pytest_plugin`` has the fixtures.
"""

from fapilog.testing.capture import CapturedLogs, capture_logs
from fapilog.testing.contracts import SINK_CHECKS, SinkTarget, check_sink, make_batch, make_events
from fapilog.testing.fakes import AsyncHangingSink, FailingSink, FakeClock, HangingSink, RecordingSink, SlowSink

__all__ = [
    "SINK_CHECKS",
    "AsyncHangingSink",
    "CapturedLogs",
    "FailingSink",
    "FakeClock",
    "HangingSink",
    "RecordingSink",
    "SinkTarget",
    "SlowSink",
    "capture_logs",
    "check_sink",
    "make_batch",
    "make_events",
]
