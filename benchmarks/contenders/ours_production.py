"""The fapilog of this repository with the ``production`` preset's redaction: credentials and content patterns."""

from pathlib import Path

import fapilog
from benchmarks.contenders import Running
from benchmarks.contenders.ours import bound, start_slow
from benchmarks.harness import LOGGER_NAME

DISTRIBUTION = None
SETUP = 'LoggerBuilder, with_redaction("CREDENTIALS", "CONTENT_PATTERNS"), with_backpressure("wait", None), add_file'
__all__ = ["start", "start_slow"]


def start(directory: Path) -> Running:
    """Log into a file."""
    builder = fapilog.LoggerBuilder().with_name(LOGGER_NAME).with_redaction("CREDENTIALS", "CONTENT_PATTERNS")
    builder = builder.with_backpressure("wait", None)
    return bound(builder.add_file(directory / "ours.jsonl", max_bytes="10 GB").build())
