"""The dashboard of one request: everything that was logged for it, its trace, and the work it caused."""

from typing import Any

from docs.dashboards.layout import Row, dashboard, source, stream, text_box
from docs.dashboards.panels import found_traces, log_lines, one_trace

NOTHING = "-"
"""What the boxes hold before the viewer has typed: no id, and found in no event as one."""


def one_request() -> Any:
    """Return the dashboard."""
    variables = [
        source("loki", "Logs"),
        source("tempo", "Traces"),
        stream("service", "Service"),
        text_box("request_id", "Request id", NOTHING),
        text_box("trace_id", "Trace id", NOTHING),
    ]
    rows: list[Row] = [
        (
            "By request id",
            [
                log_lines(
                    "Logs of the request",
                    _having("request_id", "$request_id"),
                    text="Every event with this request id, of every service that kept it. The id is the answer's "
                    "X-Request-ID.",
                ),
                found_traces(
                    "Its trace",
                    '{ span.fapilog.request_id = "$request_id" }',
                    text="The server span carries the request id; a click opens the trace.",
                ),
            ],
        ),
        (
            "By trace id",
            [
                one_trace("Trace", "$trace_id", text="The spans of all services that the request went through."),
                log_lines(
                    "Logs of the trace",
                    _having("trace_id", "$trace_id"),
                    text="Every event that was logged within the trace.",
                ),
            ],
        ),
        (
            "What it caused",
            [
                log_lines(
                    "Logs of linked work",
                    _having("linked_trace_id", "$trace_id"),
                    text="Background work that this trace has caused and that has a trace of its own "
                    "(`span_link`, `carry_context`). Each line has both trace ids.",
                ),
                found_traces(
                    "Traces of linked work",
                    '{ link:traceID = "$trace_id" }',
                    text="Spans with a link to this trace: linked work, and with `with_tracing(links=True)` the "
                    "deliveries of its events. Needs Tempo 2.7 or later.",
                ),
            ],
        ),
    ]
    text = "From a request id or a trace id to everything that is known of the request."
    return dashboard("request", "fapilog: one request", text, variables, rows)


def _having(key: str, value: str) -> str:
    """Return the LogQL for events with this key: first the lines that have the text at all, which is cheap."""
    return f'{{service=~"$service"}} |= "{value}" | json | {key}="{value}"'
