"""Standard library logging with QueueHandler and QueueListener: formatted and written in another thread."""

import logging
import queue
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path

from benchmarks.contenders import Running, stdlib_json

DISTRIBUTION = None
SETUP = "logging, QueueHandler on an unbounded SimpleQueue, QueueListener, FileHandler, the same formatter"


def start(directory: Path) -> Running:
    """Log into a file."""
    return _behind_queue(logging.FileHandler(directory / "stdlib.jsonl", encoding="utf-8"))


def start_slow(seconds: float, capacity: int) -> Running:
    """Log into a slow handler; the queue has no bound."""
    del capacity
    return _behind_queue(stdlib_json.SlowHandler(seconds))


def _behind_queue(target: logging.Handler) -> Running:
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    listener = QueueListener(records, stdlib_json.json_formatted(target))
    listener.start()

    def stop() -> None:
        listener.stop()
        target.close()

    return stdlib_json.attach(QueueHandler(records), stop)
