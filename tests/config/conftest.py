"""An environment in which nothing is said."""

import os

import pytest


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take out what the machine that runs the tests has to say."""
    for name in list(os.environ):
        if name.upper().startswith(("FAPILOG_", "OTEL_")) or name == "LOG_LEVEL":
            monkeypatch.delenv(name)
