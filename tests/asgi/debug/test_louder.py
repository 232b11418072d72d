"""Rules that make requests louder, set from the console for a while."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fapilog import _runtime, bind_context, get_logger
from fapilog.asgi import annotate
from fapilog.asgi.debug.auth import Token
from fapilog.asgi.debug.level_tokens import level_token
from fapilog.asgi.debug.louder import MOST_RULES, LouderRules
from fapilog.asgi.each_request import RequestMiddleware
from fapilog.edge_options import AsgiOptions
from fapilog.errors import ConfigError
from fapilog.testing import FakeClock
from tests.asgi.conftest import Log
from tests.asgi.driver import Server, http_scope, reply, websocket_scope

SECRET = "s3cret-token"
pytestmark = pytest.mark.asyncio


def peer_of(scope: Any) -> str:
    return str(scope["client"][0])


class Timers:
    """Takes what is to be called later; nothing is called before a test asks for it."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def later(self, seconds: float, function: Callable[[], None]) -> "Timer":
        """Take one."""
        assert seconds > 0
        self.waiting.append(function)
        return Timer(self.waiting, function)


class Timer:
    def __init__(self, waiting: list[Callable[[], None]], function: Callable[[], None]) -> None:
        self.waiting, self.function = waiting, function

    def cancel(self) -> None:
        """Take it back."""
        if self.function in self.waiting:
            self.waiting.remove(self.function)


class Place:
    """An application whose loggers are at INFO, and the rules of its console."""

    def __init__(self, log: Log, secret: str = SECRET) -> None:
        self.log = log
        log.engine.set_level("INFO")
        self.clock = FakeClock()
        self.timers = Timers()
        self.rules = LouderRules(
            Token(secret), _runtime.default_engine, self.clock, peer_of, call_later=self.timers.later
        )
        self.floor = get_logger("app.floor")
        self.user: Any = None

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """Log once below the level, before and after the user is known."""
        log = get_logger("app")
        log.debug("early", path=scope["path"])
        if self.user is not None:
            bind_context(user_id=self.user)
        log.debug("late", path=scope["path"])
        await reply(send)

    async def ask(self, path: str = "/orders/7", headers: Any = (), **options: Any) -> list[str]:
        """Send a request; return the messages below the level that came out of it."""
        app = RequestMiddleware(self.app, AsgiOptions(**options), below=self.rules.around(None))
        before = len(self.log.events)
        await Server().run(app, http_scope(path, headers=headers))
        return [event["message"] for event in self.log.events[before:] if event["level"] == "DEBUG"]

    @property
    def is_floor_open(self) -> bool:
        """Whether log calls below the level come as far as to somebody who may want them."""
        return self.floor._origin.level < self.floor._origin.threshold


@pytest.fixture
def place(log: Log) -> Iterator[Place]:
    place = Place(log)
    yield place
    place.rules.close()
    assert not place.is_floor_open


async def test_without_rule_and_header_nothing_is_louder(place: Place) -> None:
    """And log calls below the level stop at the first look."""
    assert await place.ask() == []
    assert not place.is_floor_open
    assert "log_level" not in place.log.request


async def test_a_path_is_louder_and_others_are_not(place: Place) -> None:
    """Exact or a prefix, as everywhere else; the rule counts its requests."""
    place.rules.set({"level": "debug", "ttl_seconds": 600, "path": "/orders/*"}, "198.51.100.7")

    assert await place.ask("/orders/7") == ["early", "late"]
    assert await place.ask("/orders") == []
    assert await place.ask("/customers/7") == []
    (rule,) = place.rules.describe()["rules"]
    assert rule["matched"] == 1
    assert (rule["level"], rule["path"], rule["header"], rule["user"]) == ("DEBUG", "/orders/*", None, None)
    assert (rule["until"], rule["seconds_left"]) == ("2026-01-01T00:10:00.000000Z", 600.0)


@pytest.mark.parametrize("levels", [("DEBUG", "INFO"), ("INFO", "DEBUG")])
async def test_of_two_rules_the_louder_one_counts(place: Place, levels: tuple[str, str]) -> None:
    """Whichever was set first; and it is what the completion event says."""
    for level in levels:
        place.rules.set({"level": level, "ttl_seconds": 600, "path": "/orders/*"}, "")

    assert await place.ask() == ["early", "late"]
    assert place.log.request["log_level"] == "DEBUG"


@pytest.mark.parametrize(
    ("header", "sent", "louder"),
    [
        ("x-customer: 42", [(b"x-customer", b"42")], True),
        ("X-Customer:42", [(b"x-customer", b" 42 ")], True),
        ("x-customer: 42", [(b"x-customer", b"421")], False),
        ("x-customer: 42", [(b"x-customer", b"42"), (b"x-customer", b"43")], False),
        ("x-customer: 42, 43", [(b"x-customer", b"42"), (b"x-customer", b"43")], True),
        ("x-customer: 42", [], False),
        ("x-customer", [(b"x-customer", b"anything")], True),
        ("x-customer", [(b"x-other", b"x-customer")], False),
        ("x-note: a: b", [(b"x-note", b"a: b")], True),
    ],
)
async def test_a_header_is_louder(place: Place, header: str, sent: Any, louder: bool) -> None:
    """Its exact value, or with the name alone that it is there."""
    place.rules.set({"level": "DEBUG", "ttl_seconds": 600, "header": header}, "")

    assert bool(await place.ask(headers=sent)) is louder


@pytest.mark.parametrize("user", ["42", 42])
async def test_a_user_is_louder_from_when_it_is_known(place: Place, user: Any) -> None:
    """What came before belongs to nobody yet; the completion event says it and comes out although it is skipped."""
    place.rules.set({"level": "DEBUG", "ttl_seconds": 600, "user": user}, "")

    place.user = 42
    assert await place.ask(skip_paths=("*",)) == ["late"]
    assert place.log.requests[-1]["log_level"] == "DEBUG"
    place.user = "43"
    assert await place.ask(skip_paths=("*",)) == []
    assert len(place.log.requests) == 1
    assert place.rules.describe()["rules"][0]["matched"] == 1


async def test_a_websocket_is_louder_from_when_its_user_is_known(place: Place) -> None:
    """Who it is comes with the first message; then its last event comes out although its path is skipped."""
    place.rules.set({"level": "DEBUG", "ttl_seconds": 600, "user": "42"}, "")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        bind_context(user=(await receive())["text"])
        await send({"type": "websocket.close", "code": 1000})

    served = RequestMiddleware(app, AsgiOptions(skip_paths=("*",)), below=place.rules.around(None))
    for user in ("42", "43"):
        messages = ({"type": "websocket.connect"}, {"type": "websocket.receive", "text": user})
        await Server(*messages).run(served, websocket_scope())

    assert [(event["message"], event["user"]) for event in place.log.requests] == [("websocket_closed", "42")]


async def test_a_user_may_only_be_noted(place: Place) -> None:
    """``annotate`` says whose request it is as well as ``bind_context``."""
    place.rules.set({"level": "DEBUG", "ttl_seconds": 600, "user": "ann"}, "")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        annotate(**{"enduser.id": "ann"})
        get_logger("app").debug("late")
        await reply(send)

    await Server().run(RequestMiddleware(app, below=place.rules.around(None)), http_scope())

    assert [event["message"] for event in place.log.of("app")] == ["late"]


async def test_all_conditions_of_a_rule_must_hold(place: Place) -> None:
    """Path, header and user of the same rule; of two rules either is enough."""
    both = {"level": "DEBUG", "ttl_seconds": 600, "path": "/orders/*", "header": "x-customer: 42", "user": "42"}
    place.rules.set(both, "")
    place.user = 42
    right = [(b"x-customer", b"42")]

    assert await place.ask("/orders/7", right) == ["late"]
    assert await place.ask("/orders/7") == []
    assert await place.ask("/", right) == []
    place.user = 43
    assert await place.ask("/orders/7", right) == []
    place.rules.set({"level": "DEBUG", "ttl_seconds": 600, "path": "/"}, "")
    assert await place.ask("/", right) == ["early", "late"]


async def test_a_rule_ends_by_the_clock_without_a_timer(place: Place) -> None:
    """No event loop may have run since; it is told when somebody looks."""
    place.rules.set({"level": "DEBUG", "ttl_seconds": 600, "path": "*"}, "")

    place.clock.advance(600)

    assert await place.ask() == []
    assert "log_level" not in place.log.request
    assert place.rules.describe() == {"rules": []}
    assert place.timers.waiting == []


async def test_the_floor_of_a_rule_about_a_user_closes_with_it(place: Place) -> None:
    """Until then every call below the level comes as far as to ask whose request it is in."""
    place.rules.set({"level": "DEBUG", "ttl_seconds": 600, "user": "42"}, "")
    assert place.is_floor_open

    (expire,) = place.timers.waiting
    expire()

    assert not place.is_floor_open
    assert place.rules.rules == ()


async def test_setting_and_ending_are_told_whatever_the_levels_are(place: Place) -> None:
    """Who, what, until when; and how often it matched in the end."""
    place.log.engine.set_level("CRITICAL")
    rule = place.rules.set({"level": "DEBUG", "ttl_seconds": 60, "path": "/orders/*"}, "198.51.100.7")
    await place.ask()
    assert place.rules.take_back(rule.id, "198.51.100.8")

    told = place.log.of("fapilog.console")

    assert [event["message"] for event in told] == ["louder_rule_set", "louder_rule_ended"]
    assert (
        told[0].items()
        >= {
            "level": "INFO",
            "client_ip": "198.51.100.7",
            "rule_id": rule.id,
            "rule_level": "DEBUG",
            "rule_path": "/orders/*",
            "until": "2026-01-01T00:01:00.000000Z",
        }.items()
    )
    assert told[1].items() >= {
        "client_ip": "198.51.100.8", "rule_id": rule.id, "reason": "taken_back", "matched": 1,
    }.items()  # fmt: skip
    assert not place.rules.take_back(rule.id, "198.51.100.8")


async def test_a_request_that_goes_on_is_quiet_when_its_rule_ends(place: Place) -> None:
    """A stream may go on for hours after somebody has taken the rule back."""
    rule = place.rules.set({"level": "DEBUG", "ttl_seconds": 600, "path": "*"}, "")
    log = get_logger("app")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        log.debug("before")
        assert log.is_enabled_for("DEBUG")
        place.rules.take_back(rule.id, "")
        log.debug("after")
        assert not log.is_enabled_for("DEBUG")
        await reply(send)

    await Server().run(RequestMiddleware(app, below=place.rules.around(None)), http_scope())

    assert [event["message"] for event in place.log.of("app")] == ["before"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "level"),
        ({"level": None, "ttl_seconds": 60, "path": "/"}, "level"),
        ({"level": "LOUD", "ttl_seconds": 60, "path": "/"}, "LOUD"),
        ({"level": ["DEBUG"], "ttl_seconds": 60, "path": "/"}, "level"),
        ({"level": "DEBUG", "path": "/"}, "ttl_seconds"),
        ({"level": "DEBUG", "ttl_seconds": "60", "path": "/"}, "ttl_seconds"),
        ({"level": "DEBUG", "ttl_seconds": True, "path": "/"}, "ttl_seconds"),
        ({"level": "DEBUG", "ttl_seconds": 0, "path": "/"}, "ttl_seconds"),
        ({"level": "DEBUG", "ttl_seconds": 3601, "path": "/"}, "ttl_seconds"),
        ({"level": "DEBUG", "ttl_seconds": float("nan"), "path": "/"}, "ttl_seconds"),
        ({"level": "DEBUG", "ttl_seconds": 60}, "at least one of path, header, user"),
        ({"level": "DEBUG", "ttl_seconds": 60, "path": None, "user": None}, "at least one of"),
        ({"level": "DEBUG", "ttl_seconds": 60, "path": "orders"}, "path"),
        ({"level": "DEBUG", "ttl_seconds": 60, "path": "/*/7"}, "path"),
        ({"level": "DEBUG", "ttl_seconds": 60, "path": "/" * 2000}, "path"),
        ({"level": "DEBUG", "ttl_seconds": 60, "header": "two words: 1"}, "header"),
        ({"level": "DEBUG", "ttl_seconds": 60, "header": ": 1"}, "header"),
        ({"level": "DEBUG", "ttl_seconds": 60, "header": "x-a: 1\r\nx-b: 2"}, "header"),
        ({"level": "DEBUG", "ttl_seconds": 60, "header": "x-a: \u20ac"}, "header"),
        ({"level": "DEBUG", "ttl_seconds": 60, "user": ""}, "user"),
        ({"level": "DEBUG", "ttl_seconds": 60, "user": ["42"]}, "user"),
        ({"level": "DEBUG", "ttl_seconds": 60, "user": True}, "user"),
        ({"level": "DEBUG", "ttl_seconds": 60, "users": "42"}, "users"),
    ],
)
async def test_a_rule_that_cannot_be_used_is_refused(place: Place, body: Any, said: str) -> None:
    """With what is wrong with it, and nothing is louder for it."""
    with pytest.raises(ConfigError, match=said):
        place.rules.set(body, "")

    assert place.rules.rules == ()
    assert place.log.of("fapilog.console") == []


@pytest.mark.parametrize(
    "header", ["authorization: Bearer hunter2", "cookie: a=hunter2", "x-api-key: hunter2", "X-Log-Level: hunter2"]
)
async def test_a_header_with_credentials_is_refused_and_not_repeated(place: Place, header: str) -> None:
    """A secret must not get into the rules, which everybody may read who may read the console."""
    with pytest.raises(ConfigError) as refused:
        place.rules.set({"level": "DEBUG", "ttl_seconds": 60, "header": header}, "")

    assert "hunter2" not in str(refused.value)


async def test_there_are_at_most_twenty(place: Place) -> None:
    """Each costs every request a look; what has expired does not count."""
    for number in range(MOST_RULES):
        place.rules.set({"level": "DEBUG", "ttl_seconds": 60, "path": f"/{number}"}, "")
    with pytest.raises(ConfigError, match="20 rules"):
        place.rules.set({"level": "DEBUG", "ttl_seconds": 60, "path": "/"}, "")

    place.clock.advance(60)

    place.rules.set({"level": "DEBUG", "ttl_seconds": 60, "path": "/"}, "")
    assert len(place.rules.rules) == 1


async def test_a_refused_header_is_ignored_and_told_once_a_minute(place: Place) -> None:
    """The client gets its answer; the operator learns that somebody tries, and how often."""
    wrong = [(b"x-log-level", level_token("other", clock=place.clock).encode())]
    for _ in range(3):
        assert await place.ask(headers=wrong) == []
    old = [(b"x-log-level", level_token(SECRET, ttl_seconds=1, clock=place.clock).encode())]
    place.clock.advance(60)
    assert await place.ask(headers=old) == []
    assert await place.ask(headers=wrong) == []

    told = place.log.of("fapilog.console")

    assert [(event["message"], event["level"], event["reason"], event["count"]) for event in told] == [
        ("log_level_header_refused", "WARNING", "wrong_signature", 1),
        ("log_level_header_refused", "WARNING", "expired", 1),
        ("log_level_header_refused", "WARNING", "wrong_signature", 3),
    ]
    assert told[0]["client_ip"] == "203.0.113.9"
    assert place.rules.headers.refused == {"wrong_signature": 4, "expired": 1}
    assert [event["status_code"] for event in place.log.requests] == [200] * 5


async def test_a_header_that_is_over_is_no_forged_one(place: Place) -> None:
    """A script that goes on with its old one shuts nobody out."""
    old = [(b"x-log-level", level_token(SECRET, ttl_seconds=5, clock=place.clock).encode())]
    right = [(b"x-log-level", level_token(SECRET, clock=place.clock).encode())]
    place.clock.advance(5)
    for _ in range(11):
        assert await place.ask(headers=old) == []

    assert await place.ask(headers=right) == ["early", "late"]


async def test_after_ten_forged_headers_an_address_is_refused(place: Place) -> None:
    """Until its minute is over, and told as what it is; with a token that can be guessed a valid one, too."""
    right = [(b"x-log-level", level_token(SECRET, clock=place.clock).encode())]
    wrong = [(b"x-log-level", level_token("other", clock=place.clock).encode())]
    assert await place.ask(headers=right) == ["early", "late"]
    for _ in range(10):
        await place.ask(headers=wrong)

    assert await place.ask(headers=right) == []
    assert place.log.of("fapilog.console")[-1]["reason"] == "too_many_tries"
    place.clock.advance(60)
    assert await place.ask(headers=right) == ["early", "late"]


async def test_strangers_behind_the_same_proxy_do_not_shut_out_a_right_header(log: Log) -> None:
    """Nobody has guessed one that was signed with a long token."""
    place = Place(log, "a-token-of-more-than-twenty-characters")
    right = [(b"x-log-level", level_token("a-token-of-more-than-twenty-characters", clock=place.clock).encode())]
    wrong = [(b"x-log-level", level_token("other", clock=place.clock).encode())]
    for _ in range(11):
        assert await place.ask(headers=wrong) == []

    assert place.log.of("fapilog.console")[-1]["reason"] == "too_many_tries"
    assert await place.ask(headers=right) == ["early", "late"]


async def test_without_a_token_of_the_console_the_header_is_nothing(place: Place) -> None:
    """There is nobody who could have signed it."""
    rules = LouderRules(None, _runtime.default_engine, place.clock, peer_of)
    app = RequestMiddleware(place.app, below=rules.around(None))

    await Server().run(app, http_scope(headers=[(b"x-log-level", level_token(SECRET, clock=place.clock).encode())]))

    assert place.log.of("app") == []
    assert rules.headers.refused == {}
