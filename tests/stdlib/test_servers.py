"""The servers' loggers are taken over while an application runs, and given back exactly."""

import asyncio
import io
import json
import logging
import logging.config
import sys
from copy import deepcopy
from typing import Any

import pytest
from uvicorn.config import LOGGING_CONFIG
from uvicorn.logging import AccessFormatter

from fapilog.stdlib import FapilogHandler, capture_stdlib, uvicorn_log_config
from fapilog.stdlib.records import REPORTED
from fapilog.stdlib.servers import take_over_servers
from fapilog.testing import CapturedLogs

ACCESS = ("127.0.0.1:5000", "GET", "/x?a=1", "1.1", 200)
NAMES = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "gunicorn.error", "hypercorn.error")


def uvicorn_starts() -> None:
    """Do what `uvicorn.Config` does; in the test itself, as pytest's streams are others before it."""
    logging.config.dictConfig(deepcopy(LOGGING_CONFIG))


def tree() -> dict[str, Any]:
    loggers = {name: logging.getLogger(name) for name in NAMES}
    return {
        name: (id(each.handlers), list(each.handlers), each.level, each.propagate) for name, each in loggers.items()
    }


def speak() -> None:
    logging.getLogger("uvicorn").info("parent")
    logging.getLogger("uvicorn.error").info("error")
    logging.getLogger("uvicorn.access").info('%s - "%s %s HTTP/%s" %d', *ACCESS)


def test_lines_come_once_and_in_one_shape(logs: CapturedLogs, capfd: pytest.CaptureFixture[str]) -> None:
    """Every line of uvicorn is one event and nothing is printed beside it."""
    uvicorn_starts()
    with take_over_servers(completion_events=False):
        speak()

    assert logs.messages == ["parent", "error", '127.0.0.1:5000 - "GET /x HTTP/1.1" 200']
    assert logs.events[-1]["status_code"] == 200
    assert capfd.readouterr() == ("", "")


def test_access_line_is_off_where_completion_events_are_on(
    logs: CapturedLogs, capfd: pytest.CaptureFixture[str]
) -> None:
    """uvicorn finds no handler and does not even make the line; it asks once per connection."""
    uvicorn_starts()
    with take_over_servers(completion_events=True):
        assert not logging.getLogger("uvicorn.access").hasHandlers()
        speak()

    assert logs.messages == ["parent", "error"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("completion_events", [True, False])
def test_everything_is_put_back(completion_events: bool, capfd: pytest.CaptureFixture[str]) -> None:
    """Handlers, lists, levels and propagation are the same; the last lines come out as uvicorn writes them, once."""
    uvicorn_starts()
    before = tree()

    undo = take_over_servers(completion_events=completion_events)
    undo()
    undo()

    assert tree() == before
    speak()
    out, err = capfd.readouterr()
    assert out.count("GET /x?a=1") == 1
    assert (err.count("parent"), err.count("error")) == (1, 1)


def test_two_lifespans_share_the_take_over(logs: CapturedLogs) -> None:
    """P49: a second application in the process neither doubles lines nor ends the first one's."""
    uvicorn_starts()
    before = tree()
    first = take_over_servers(completion_events=False)
    second = take_over_servers(completion_events=False)

    speak()
    first()
    speak()
    second()

    assert len(logs.events) == 6
    assert tree() == before


def test_server_without_log_config_is_heard(logs: CapturedLogs) -> None:
    """`log_config=None` leaves uvicorn without handler and level: its lines come through us all the same."""
    for name in NAMES:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate, logger.level = [], True, logging.NOTSET
    logging.getLogger().handlers = []
    before = tree()

    with take_over_servers(completion_events=False):
        speak()

    assert logs.messages[:2] == ["parent", "error"]
    assert len(logs.events) == 3
    assert tree() == before


def test_level_that_the_user_chose_stays(logs: CapturedLogs) -> None:
    """`--log-level warning` means what it says."""
    uvicorn_starts()
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)

    with take_over_servers():
        speak()

    assert logs.messages == ["parent"]


@pytest.mark.parametrize("completion_events", [True, False])
def test_access_log_that_is_off_stays_off(completion_events: bool, logs: CapturedLogs) -> None:
    """`--no-access-log` means what it says."""
    uvicorn_starts()
    logger = logging.getLogger("uvicorn.access")
    logger.handlers, logger.propagate = [], False

    with take_over_servers(completion_events=completion_events):
        speak()

    assert logs.messages == ["parent", "error"]


def test_together_with_capture_stdlib(logs: CapturedLogs) -> None:
    """With the root logger captured, too, each line still comes once."""
    for name in NAMES:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate, logger.level = [], True, logging.NOTSET

    with capture_stdlib(), take_over_servers(completion_events=False):
        speak()

    assert len(logs.events) == 3


def test_file_for_access_lines_stays(logs: CapturedLogs) -> None:
    """A file that somebody asked for still gets its lines, with uvicorn's formatter, while we take them too."""
    uvicorn_starts()
    memory = io.StringIO()
    file = logging.StreamHandler(memory)
    file.setFormatter(AccessFormatter('%(client_addr)s "%(request_line)s" %(status_code)s', use_colors=False))
    logging.getLogger("uvicorn.access").addHandler(file)

    with take_over_servers(completion_events=False):
        speak()

    assert memory.getvalue() == '127.0.0.1:5000 "GET /x?a=1 HTTP/1.1" 200 OK\n'
    assert logs.events[-1]["path"] == "/x"


def test_list_shared_by_loggers_is_not_written_to(logs: CapturedLogs) -> None:
    """gunicorn's worker gives one list of handlers to two loggers; both are given back with it."""
    pytest.importorskip("gunicorn")
    shared: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    loggers = [logging.getLogger("gunicorn.error"), logging.getLogger("uvicorn.error")]
    for logger in loggers:
        logger.handlers, logger.propagate = shared, False
        logger.setLevel(logging.INFO)

    with take_over_servers():
        for logger in loggers:
            logger.info(logger.name)

    assert logs.messages == ["gunicorn.error", "uvicorn.error"]
    assert all(logger.handlers is shared for logger in loggers)
    assert len(shared) == 1


def test_reported_exception_is_no_second_traceback(logs: CapturedLogs) -> None:
    """P21: the server's record of an exception that a completion event has reported is left out; any other is not."""
    uvicorn_starts()
    told, untold = ValueError("told"), ValueError("untold")
    setattr(told, REPORTED, True)

    with take_over_servers():
        for error in (told, untold):
            logging.getLogger("uvicorn.error").error("Exception in ASGI application\n", exc_info=error)

    (event,) = logs.events
    assert event["exception"]["message"] == "untold"


def test_reconfigured_meanwhile_is_left_alone(logs: CapturedLogs) -> None:
    """P44: a `dictConfig` after us wins and is reported; undoing does not bring the old handlers back beside it."""
    uvicorn_starts()
    undo = take_over_servers()
    logging.config.dictConfig(deepcopy(LOGGING_CONFIG))
    theirs = {name: list(logging.getLogger(name).handlers) for name in ("uvicorn", "uvicorn.access")}

    undo()

    assert {name: list(logging.getLogger(name).handlers) for name in theirs} == theirs
    assert logs.engine.diagnostics.counts()["stdlib"] == 1


def test_servers_that_are_not_here_are_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under another server, or none, no logger is made or changed."""
    for name in ("uvicorn", "gunicorn", "hypercorn"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    before = tree()

    with take_over_servers():
        assert tree() == before


def test_log_config_sends_the_first_lines_through_us(logs: CapturedLogs, capfd: pytest.CaptureFixture[str]) -> None:
    """With our `log_config` uvicorn's lines are events before the application is even imported."""
    logging.config.dictConfig(uvicorn_log_config())
    speak()
    with take_over_servers(completion_events=True):
        speak()
    speak()

    assert [message for message in logs.messages if message in ("parent", "error")] == ["parent", "error"] * 3
    assert len(logs.events) == 8
    assert capfd.readouterr() == ("", "")


def test_log_config_is_plain_json() -> None:
    """It may be written to a file for `--log-config`, and each call returns a new one."""
    config = uvicorn_log_config("WARNING")

    assert json.loads(json.dumps(config)) == config
    assert config["loggers"]["uvicorn.access"]["level"] == "WARNING"
    assert uvicorn_log_config() is not uvicorn_log_config()


def test_log_config_takes_what_uvicorn_writes_into_it() -> None:
    """uvicorn writes `use_colors` into two formatters of a dict it is given."""
    import uvicorn

    uvicorn.Config("app:app", log_config=uvicorn_log_config(), use_colors=True)

    assert isinstance(logging.getLogger("uvicorn").handlers[0], FapilogHandler)
    logging.getLogger("uvicorn").handlers = []
    logging.getLogger("uvicorn.access").handlers = []


def test_hypercorns_lines(logs: CapturedLogs, capfd: pytest.CaptureFixture[str]) -> None:
    """hypercorn's own logger object, made as late as it makes it, is taken over and given back."""
    hypercorn = pytest.importorskip("hypercorn.logging")
    from hypercorn.config import Config

    config = Config()
    config.accesslog = "-"

    async def talk() -> None:
        server = hypercorn.Logger(config)
        await server.info("Running on %s", "http://x")
        scope = {"type": "http", "method": "GET", "path": "/y", "query_string": b"", "headers": [], "scheme": "http"}
        await server.access(scope, {"status": 200, "headers": []}, 0.1)

    with take_over_servers(completion_events=False):
        asyncio.run(talk())
    loggers = [logging.getLogger(name) for name in ("hypercorn.error", "hypercorn.access")]
    assert [(len(logger.handlers), logger.filters) for logger in loggers] == [(1, []), (1, [])]
    for logger in loggers:
        logger.handlers = []

    first, second = logs.events
    assert first["message"] == "Running on http://x"
    assert (second["http_method"], second["path"], second["status_code"]) == ("GET", "/y", 200)
    assert capfd.readouterr() == ("", "")
