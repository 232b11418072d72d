"""A Flask or Django view logs like anything else, and its framework's records come along."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FLASK = """
import flask
from fapilog import get_logger
from fapilog.stdlib import capture_stdlib

logger = get_logger(__name__)
capture_stdlib()
app = flask.Flask("shop")


@app.get("/orders/<int:number>")
def orders(number):
    logger.info("Handling request", path=flask.request.path, number=number)
    return {}


@app.get("/boom")
def boom():
    raise RuntimeError("boom")


client = app.test_client()
assert client.get("/orders/7").status_code == 200
assert client.get("/boom").status_code == 500
"""
DJANGO = """
import django
from django.conf import settings
from django.http import JsonResponse
from django.test import Client
from django.urls import path
from fapilog import get_logger
from fapilog.stdlib import capture_stdlib

logger = get_logger(__name__)


def orders(request, number):
    logger.info("Handling request", path=request.path, number=number)
    return JsonResponse({})


def boom(request):
    raise RuntimeError("boom")


urlpatterns = [path("orders/<int:number>", orders), path("boom", boom)]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x", LOGGING_CONFIG=None)
django.setup()
capture_stdlib(loggers=["django"])
client = Client(raise_request_exception=False)
assert client.get("/orders/7").status_code == 200
assert client.get("/boom").status_code == 500
"""


@pytest.mark.parametrize(
    ("module", "program", "framework"), [("flask", FLASK, "shop"), ("django", DJANGO, "django.request")]
)
def test_view_logs_and_the_framework_s_error_is_an_event(
    module: str, program: str, framework: str, tmp_path: Path
) -> None:
    """The documented call works as it stands; nothing is printed in another shape; the exit flushes."""
    pytest.importorskip(module)
    events = run(program, tmp_path)

    (handled,) = [event for event in events if event["message"] == "Handling request"]
    assert (handled["path"], handled["number"], handled["level"]) == ("/orders/7", 7, "INFO")
    (failed,) = [event for event in events if "exception" in event]
    assert (failed["logger"], failed["level"]) == (framework, "ERROR")
    assert failed["exception"]["message"] == "boom"


def run(program: str, folder: Path) -> list[dict[str, Any]]:
    """Run it with its stdout in a pipe; fails on a line that is no JSON and on anything on stderr."""
    (folder / "program.py").write_text(program)
    command = [sys.executable, "program.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]
