"""What the shop reads from its environment, once, at import."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

LogFormat = Literal["auto", "json", "pretty", "logfmt"]


@dataclass(frozen=True)
class ShopSettings:
    """Where things are.

    Attributes:
        database: The SQLite file, which several workers may share; default one in a temporary folder, gone at exit.
        log_format: What stdout gets; default pretty on a terminal, JSON in a pipe.
        log_file: A JSON file beside stdout, and one for errors beside that; default none.
        debug_token: Guards ``/debug/logging``; default generated at start and printed to stderr.
        trace_url: Where a trace can be looked at, with ``{trace_id}`` in it: the console links there; default nowhere.
        spans: Whether spans are made also where no collector is named, to be looked at in the console; default not.
        report_folder: Where each worker leaves its drain result; default nowhere.
    """

    database: Path | None
    log_format: LogFormat
    log_file: Path | None
    debug_token: str | None
    trace_url: str | None
    spans: bool
    report_folder: Path | None

    @classmethod
    def from_environment(cls) -> "ShopSettings":
        """Read the ``SHOP_…`` variables; an empty one counts as absent."""
        return cls(
            database=_path("SHOP_DATABASE"),
            log_format=cast("LogFormat", os.environ.get("SHOP_LOG_FORMAT") or "auto"),  # fapilog checks the name
            log_file=_path("SHOP_LOG_FILE"),
            debug_token=os.environ.get("SHOP_DEBUG_TOKEN") or None,
            trace_url=os.environ.get("SHOP_TRACE_URL") or None,
            spans=os.environ.get("SHOP_SPANS") == "on",
            report_folder=_path("SHOP_REPORT_FOLDER"),
        )


def error_file(log_file: Path) -> Path:
    """Return where the errors go besides: ``shop.errors.jsonl`` for ``shop.jsonl``."""
    return log_file.with_suffix(f".errors{log_file.suffix}")


def _path(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value) if value else None
