"""The public names are those of the design, no fewer and no more."""

import json
import subprocess
import sys

import pytest

PUBLIC = {
    "fapilog": {
        "AsyncLoggerBuilder", "AsyncLoggerFacade", "DrainResult", "LoggerBuilder", "Sensitive", "Settings",
        "SyncLoggerFacade", "__version__", "bind_context", "carry_context", "clear_context", "configure",
        "context_scope", "get_async_logger", "get_logger", "list_presets", "register_level", "runtime",
        "runtime_async", "set_level", "unbind_context",
    },
    "fapilog.asgi": {"FapilogMiddleware", "annotate"},
    "fapilog.fastapi": {"FastAPIBuilder", "get_request_logger"},
    "fapilog.litestar": {"FapilogPlugin"},
    "fapilog.starlette": {"StarletteBuilder"},
    "fapilog.stdlib": {"capture_stdlib", "uvicorn_log_config"},
    "fapilog.testing": {"capture_logs"},
}  # fmt: skip
MORE = {
    "fapilog": {
        "recorder",  # issue 6: the flight recorder around a job
        "span_link",  # issue 5: linked work
    },
    "fapilog.asgi.debug": {"level_token", "one_time_link"},  # issue 6: made without the running application
    "fapilog.delivery": {"Route", "RoutingOptions"},
    "fapilog.otel": {"span_link"},
    "fapilog.redaction": {
        "CCPA_PII", "CONTENT_PATTERNS", "CREDENTIALS", "GDPR_PII", "HIPAA_PHI", "PCI_DSS", "PII", "RedactionPreset",
    },
    "fapilog.stdlib": {"FapilogHandler"},  # named in a dictConfig
    "fapilog.testing": {  # tools for tests; the design wants them there and leaves the names open
        "AsyncHangingSink", "CapturedLogs", "FailingSink", "FakeClock", "HangingSink", "RecordingSink", "SINK_CHECKS",
        "SinkTarget", "SlowSink", "check_sink", "make_batch", "make_events",
    },
}  # fmt: skip
"""Public names beside those that the design fixes."""

NAMES_ONLY = {"fapilog", "fapilog.asgi", "fapilog.asgi.debug", "fapilog.stdlib", "fapilog.testing"}
"""Packages whose ``__init__`` has no code of its own."""

PROBE = """
import importlib, inspect, json, sys
module = importlib.import_module(sys.argv[1])
listed = list(module.__all__)
for name in listed:
    getattr(module, name)
print(json.dumps({
    "all": sorted(listed),
    "own": sorted(
        name
        for name, value in vars(module).items()
        if not (name.startswith("_") or inspect.ismodule(value))
        and (getattr(value, "__module__", None) or "").partition(".")[0] == "fapilog"
    ),
}))
"""


@pytest.mark.parametrize("name", sorted({*PUBLIC, *MORE}))
def test_a_module_exports_the_names_of_the_design(name: str) -> None:
    """``__all__`` is the contract, each of its names exists, and nothing else of ours stands beside them."""
    done = subprocess.run([sys.executable, "-c", PROBE, name], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)

    public = PUBLIC.get(name, set()) | MORE.get(name, set())

    assert set(seen["all"]) == public
    assert len(seen["all"]) == len(set(seen["all"]))
    if name in NAMES_ONLY:
        assert set(seen["own"]) - public == set()
