"""Who may read the console, and who may change something."""

import asyncio
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog import _runtime
from fapilog.asgi.debug import one_time_link
from fapilog.asgi.debug.answers import Answer
from fapilog.asgi.debug.auth import Access
from fapilog.asgi.debug.guard import Admission, Guard
from fapilog.asgi.debug.options import DebugOptions
from fapilog.testing import FakeClock

BEARER = {"authorization": "Bearer s3cret"}
WRONG = {"authorization": "Bearer wrong"}
BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
CLIENT = "203.0.113.7"
NOBODY, READER, OWNER = Access.NONE, Access.READ, Access.CHANGE


class Door:
    """A guard, its clock, and what it has logged."""

    def __init__(self, token: str | None = "s3cret", **options: Any) -> None:
        self.clock = FakeClock()
        self.told: list[dict[str, Any]] = []
        self.options = DebugOptions(token=token, clock=self.clock, **options)
        self.guard = self.another()

    def another(self) -> Guard:
        """Return the guard of another worker process, or of one that was started again."""
        return Guard(self.options, self.clock, lambda message, fields: self.told.append({"message": message, **fields}))

    def ask(
        self,
        headers: dict[str, str] | None = None,
        method: str = "GET",
        path: str = "",
        query: str = "",
        client: str = CLIENT,
        **scope: Any,
    ) -> Admission:
        return asyncio.run(self.ask_async(headers, method, path, query, client, **scope))

    async def ask_async(
        self,
        headers: dict[str, str] | None = None,
        method: str = "GET",
        path: str = "",
        query: str = "",
        client: str = CLIENT,
        **scope: Any,
    ) -> Admission:
        return await self.guard.admit(scope_of(headers, method, query, **scope), path=path, client=client)

    def link(self) -> str:
        """Return the query of a link that opens once."""
        return urlsplit(one_time_link("s3cret", clock=self.clock)).query

    def session(self) -> dict[str, str]:
        """Return the header of a browser that has opened a link."""
        return cookie_of(self.ask(BROWSER, query=self.link()).headers)


def scope_of(headers: dict[str, str] | None = None, method: str = "GET", query: str = "", **scope: Any) -> Any:
    pairs = {"host": "shop.example", **(headers or {})}
    return {
        "type": "http", "method": method, "scheme": "http", "query_string": query.encode(), "path": "/debug/logging",
        "headers": [(name.encode(), value.encode()) for name, value in pairs.items()], "server": ("10.0.0.7", 80),
        "client": ("203.0.113.7", 5), **scope,
    }  # fmt: skip


def cookie_of(headers: Any) -> dict[str, str]:
    [value] = [value for name, value in headers if name == b"set-cookie"]
    return {"cookie": value.decode().partition(";")[0]}


def status_of(admission: Admission) -> int:
    return 200 if admission.refusal is None else admission.refusal.status


def header_of(answer: Answer | None, name: bytes) -> bytes | None:
    assert answer is not None
    return dict(answer.headers).get(name)


def test_the_token_opens_everything() -> None:
    """Reading and changing, without any cookie."""
    door = Door()

    assert door.ask(BEARER) == Admission(OWNER)
    assert door.ask(BEARER, method="PUT", path="levels") == Admission(OWNER)


@pytest.mark.parametrize("headers", [{}, WRONG, {"authorization": "Basic s3cret"}, {"cookie": "fapilog_console=x"}])
@pytest.mark.parametrize("path", ["", "levels", "tail", "session", "static/app.js", "health", "x"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_without_it_everything_is_a_401(headers: dict[str, str], path: str, method: str) -> None:
    """Whatever is asked for, and also if it does not exist."""
    admission = Door().ask(headers, method=method, path=path)

    assert (admission.access, status_of(admission), admission.headers) == (NOBODY, 401, ())
    assert header_of(admission.refusal, b"www-authenticate") == b'Bearer realm="fapilog"'
    assert admission.refusal is not None
    assert orjson.loads(admission.refusal.body) == {"error": "a valid token is needed"}


def test_the_token_in_the_query_is_no_way_in() -> None:
    """It would be kept wherever URLs are kept."""
    assert status_of(Door().ask(BROWSER, query="token=s3cret")) == 401


def test_a_link_opens_once_and_sets_a_cookie_that_reads() -> None:
    """For twelve hours, nowhere else, and nothing can be changed with it."""
    door = Door()
    query = door.link()
    opened = door.ask(BROWSER, query=query)

    assert (opened.access, opened.refusal) == (READER, None)
    [(name, value)] = opened.headers
    assert name == b"set-cookie"
    pattern = rb"fapilog_console=[^;]+; HttpOnly; SameSite=Strict; Path=/debug/logging; Max-Age=43200"
    assert re.fullmatch(pattern, value)
    session = cookie_of(opened.headers)
    assert door.ask(session, path="tail") == Admission(READER)
    changing = door.ask(session, method="PUT", path="levels")
    assert (status_of(changing), changing.access) == (403, READER)
    assert status_of(door.ask(BROWSER, query=query)) == 401
    assert door.ask({**BROWSER, **session}, query=query) == Admission(READER)
    assert [(event["reason"], event["count"]) for event in door.told] == [("used_ticket", 1)]


def test_a_cookie_is_no_ticket_and_a_ticket_no_cookie() -> None:
    """Each is signed with a key of its own; or a cookie that somebody has seen would live twelve hours more."""
    door = Door()
    ticket = door.link().partition("=")[2]
    cookie = door.session()["cookie"].partition("=")[2]

    assert status_of(door.ask({"cookie": f"fapilog_console={ticket}"})) == 401
    assert status_of(door.ask(BROWSER, query=f"once={cookie}")) == 401


def test_a_link_that_was_opened_stays_so_when_the_application_is_started_again() -> None:
    """In the same process, where the same options make another guard."""
    door = Door()
    query = door.link()
    assert door.ask(BROWSER, query=query).access == READER
    door.guard = door.another()

    assert status_of(door.ask(BROWSER, query=query)) == 401


def test_the_token_beside_the_cookie_decides_about_changes() -> None:
    """The page sends both for a change; a wrong token is not saved by the cookie, and counts."""
    door = Door()
    session = door.session()

    assert door.ask({**session, **BEARER}, method="PUT") == Admission(OWNER)
    changing = [status_of(door.ask({**session, **WRONG}, method="PUT")) for _ in range(11)]
    assert changing == [401] * 10 + [429]
    assert door.told[0]["reason"] == "wrong_token"


@pytest.mark.parametrize("shown", [WRONG, BEARER, {"authorization": "Bearer"}, {"authorization": "Basic of-a-proxy"}])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_cookie_reads_whatever_stands_beside_it(shown: dict[str, str], method: str) -> None:
    """A gateway puts a token of its own on every request: that is no try, and what it is worth is told to nobody."""
    door = Door()
    session = door.session()
    answered = [door.ask({**session, **shown}, method=method) for _ in range(30)]

    assert answered == [Admission(READER)] * 30
    assert door.told == []
    assert door.ask(BEARER).access == OWNER


def test_a_cookie_reads_beside_a_token_of_an_address_that_is_shut_out() -> None:
    """The token is not compared, and not refused for it: the right one and a wrong one are answered the same."""
    door = Door()
    session = door.session()
    for _ in range(10):
        door.ask(WRONG)

    assert status_of(door.ask(BEARER)) == 429
    assert door.ask({**session, **BEARER}) == door.ask({**session, **WRONG}) == Admission(READER)
    assert status_of(door.ask({**session, **BEARER}, method="PUT")) == 429


def test_a_link_opens_beside_the_token_of_a_gateway() -> None:
    """Also of an address that is shut out; the cookie it sets is good from then on."""
    door = Door()
    for _ in range(10):
        door.ask(WRONG)
    session = cookie_of(door.ask({**BROWSER, **WRONG}, query=door.link()).headers)

    assert door.ask({**session, **WRONG}, path="tail") == Admission(READER)


def test_a_guess_behind_a_bad_link_or_cookie_counts() -> None:
    """These shut nobody out by themselves, and do not hide a token that is tried."""
    door = Door()
    session = door.session()
    door.clock.advance(43_200)
    hidden = {**BROWSER, **WRONG, "cookie": f"{session['cookie']}; {session['cookie'][:-1]}_"}
    answered = [status_of(door.ask(hidden, query="once=x")) for _ in range(11)]

    assert answered == [401] * 10 + [429]
    assert door.told[0]["reason"] == "wrong_token"


@pytest.mark.parametrize(
    ("method", "headers", "path"),
    [
        ("HEAD", BROWSER, ""), ("GET", {}, ""), ("GET", {"accept": "*/*"}, ""), ("GET", {"accept": "image/png"}, ""),
        ("GET", {"accept": "application/json, text/html;q=0.5"}, ""), ("GET", BROWSER, "levels"),
        ("GET", {**BROWSER, "sec-fetch-dest": "iframe"}, ""), ("POST", BROWSER, ""), ("PUT", BROWSER, ""),
    ],
)  # fmt: skip
def test_only_a_browser_that_opens_the_page_uses_a_link_up(method: str, headers: dict[str, str], path: str) -> None:
    """What previews links, or loads them into a page of its own, leaves it as it is."""
    door = Door()
    query = door.link()

    assert status_of(door.ask(headers, method=method, path=path, query=query)) == 401
    assert door.told == []
    assert status_of(door.ask({**BROWSER, "sec-fetch-dest": "document"}, query=query)) == 200


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("once=", "forged_ticket"), ("once=x", "forged_ticket"), ("once=%ff%00", "forged_ticket"),
        ("once=a&once=b", "forged_ticket"), ("once=" + "a" * 5000, "forged_ticket"),
    ],
)  # fmt: skip
def test_a_forged_link_is_a_failed_try(query: str, reason: str) -> None:
    """Used, expired and forged ones are told apart in the log, and to whoever opens them."""
    door = Door()
    refused = door.ask(BROWSER, query=query)

    assert status_of(refused) == 401
    assert door.told == [
        {"message": "debug_access_refused", "client_ip": CLIENT, "reason": reason, "count": 1},
    ]  # fmt: skip


def test_two_good_tickets_in_one_link_are_none() -> None:
    """Neither is used up."""
    door = Door()
    one, other = door.link(), door.link()

    assert status_of(door.ask(BROWSER, query=f"{one}&{other}")) == 401
    assert door.ask(BROWSER, query=one).access == door.ask(BROWSER, query=other).access == READER


def test_an_old_link_says_so() -> None:
    """The page tells what to do: get a new one, or type the token."""
    door = Door()
    query = door.link()
    door.clock.advance(601)
    refused = door.ask(BROWSER, query=query)

    assert refused.refusal is not None
    assert b"This link is too old." in refused.refusal.body
    assert door.told[0]["reason"] == "expired_ticket"


def test_the_cookie_ends_after_twelve_hours_and_that_is_no_attempt() -> None:
    """Although the browser forgets it by itself; a page that is left open must not shut its reader out."""
    door = Door()
    session = door.session()
    door.clock.advance(43_199)
    assert door.ask(session).access == READER
    door.clock.advance(1)

    assert [status_of(door.ask(session)) for _ in range(30)] == [401] * 30
    assert door.told == []


def test_the_cookie_is_good_in_every_process_with_the_same_token_and_in_no_other() -> None:
    """No server keeps it: several workers, a restart; with another token it is left over, not forged."""
    door, other = Door(), Door("another")
    session = door.session()
    door.guard = door.another()

    assert door.ask(session).access == READER
    assert [status_of(other.ask(session)) for _ in range(30)] == [401] * 30
    assert other.told == []


@given(st.data())
def test_a_forged_cookie_opens_nothing_and_is_counted(data: st.DataObject) -> None:
    """Any bit of it."""
    door = Door()
    name, _, value = door.session()["cookie"].partition("=")
    at = data.draw(st.integers(0, 8 * len(value) - 1))
    flipped = bytearray(value.encode())
    flipped[at // 8] ^= 1 << at % 8
    scope = scope_of()
    scope["headers"].append((b"cookie", b"a=b; " + name.encode() + b"=" + bytes(flipped)))
    refused = asyncio.run(door.guard.admit(scope, path="", client=CLIENT))

    assert status_of(refused) == 401
    of_this_key = at // 8 >= len("12345678.")
    assert [event["reason"] for event in door.told] == ["forged_cookie"] * of_this_key


def test_a_good_cookie_beside_a_bad_one_of_the_same_name_is_enough() -> None:
    """A sister site can set cookies for us; it must not shut us out."""
    door = Door()
    good = door.session()["cookie"]

    assert door.ask({"cookie": f"fapilog_console={good[16:-1]}0; x; =; {good}"}).access == READER
    assert door.ask({"cookie": f"{good}; fapilog_console=x"}).access == READER
    assert door.told == []


@pytest.mark.parametrize(
    ("scope", "path", "secure"),
    [
        ({"scheme": "https"}, "/debug/logging", True), ({"root_path": "/api/"}, "/api/debug/logging", False),
        ({"root_path": "/a b;c"}, "/a%20b%3Bc/debug/logging", False), ({}, "/debug/logging", False),
        ({"root_path": "//evil.example"}, "/evil.example/debug/logging", False),
    ],
)  # fmt: skip
def test_the_cookie_is_for_the_console_alone(scope: dict[str, Any], path: str, secure: bool) -> None:
    """Below the root path, and over https nowhere else."""
    door = Door()
    [(_, value)] = door.ask(BROWSER, query=door.link(), **scope).headers

    assert f"; Path={path}; ".encode() in value
    assert value.endswith(b"; Secure") == secure


def test_after_ten_wrong_tokens_of_an_address_none_is_compared() -> None:
    """Until its minute is over; other addresses are let in, and who shows something that cannot be guessed."""
    door = Door()
    session = door.session()
    assert [status_of(door.ask(WRONG)) for _ in range(12)] == [401] * 10 + [429] * 2
    refused = [door.ask(BEARER), door.ask(session), door.ask(), door.ask(BROWSER, query=door.link())]

    assert [status_of(each) for each in refused] == [429, 200, 401, 200]
    assert header_of(refused[0].refusal, b"retry-after") == b"60"
    assert refused[0].refusal is not None
    assert orjson.loads(refused[0].refusal.body) == {"error": "too many failed tries", "retry_after_seconds": 60}
    assert door.ask(BEARER, client="203.0.113.8").access == OWNER
    door.clock.advance(60)
    assert door.ask(BEARER).access == OWNER
    assert [(event["client_ip"], event["count"]) for event in door.told] == [(CLIENT, 1), (CLIENT, 9)]


def test_what_shows_nothing_is_no_attempt() -> None:
    """A health check without a token, a browser that is shown the form."""
    door = Door()

    assert [status_of(door.ask(headers)) for headers in ({}, BROWSER) for _ in range(20)] == [401] * 40
    assert door.told == []


@pytest.mark.parametrize("headers", [{}, BEARER, BROWSER])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST"])
def test_over_loopback_another_host_is_misdirected(headers: dict[str, str], method: str) -> None:
    """Before anything else, also for who has the token: a page of a rebound name could have it from its user."""
    local: dict[str, Any] = {"server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 5)}
    door = Door()
    refused = door.ask({**headers, "host": "evil.example"}, method=method, path="session", **local)

    assert (status_of(refused), refused.access) == (421, NOBODY)
    assert door.ask({**BEARER, "host": "localhost:8000"}, **local).access == OWNER
    proxied = Door(hosts=("logs.internal",))
    assert proxied.ask({**BEARER, "host": "logs.internal"}, **local).access == OWNER


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
@pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, {"origin": "http://evil.example"}])
def test_another_sites_page_changes_nothing(method: str, headers: dict[str, str]) -> None:
    """Also with the token, and with the user's own authentication, which browsers send by themselves."""
    door = Door(allow=lambda _: True)

    for shown in ({}, BEARER):
        assert status_of(door.ask({**headers, **shown}, method=method, path="levels")) == 403
        assert door.ask({**headers, **shown}).access == OWNER
    assert status_of(door.ask({**BEARER, "origin": "http://shop.example"}, method=method)) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "same-site", "sec-fetch-dest": "empty"}, {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "sec-fetch-dest": "image"}, {"origin": "http://shop.example:9000"},
        {"sec-fetch-site": "same-site", "sec-fetch-dest": "iframe"}, {"origin": "null"},
        {"sec-fetch-site": "same-site", "sec-fetch-dest": "document", "sec-purpose": "prefetch"},
        {"sec-fetch-site": "none", "sec-fetch-dest": "document", "sec-purpose": "prefetch;prerender"},
    ],
)  # fmt: skip
def test_the_cookie_is_not_for_the_page_of_another_port(headers: dict[str, str]) -> None:
    """Browsers send it with that page's requests, too: it would hold all tails, and read none. It is no try."""
    door = Door()
    session = door.session()
    forged = {"cookie": session["cookie"][:-1] + "_"}

    for shown in (session, forged):
        assert status_of(door.ask({**shown, **headers}, path="tail")) == 401
    assert status_of(door.ask({**session, **headers, **WRONG}, path="tail")) == 401
    assert [event["reason"] for event in door.told] == ["wrong_token"]
    assert door.ask({**session, **headers, **BEARER}, path="tail").access == OWNER


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "same-site", "sec-fetch-dest": "document"}, {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none", "sec-fetch-dest": "document"}, {"origin": "http://shop.example"},
        {"origin": "https://logs.internal"}, {},
    ],
)  # fmt: skip
def test_the_cookie_is_for_its_own_page_and_for_who_goes_there(headers: dict[str, str]) -> None:
    """By a link on a page of another port, for one; what is no browser says nothing of it."""
    door = Door(hosts=("logs.internal",))

    assert door.ask({**door.session(), **headers}) == Admission(READER)
    assert door.ask({**BROWSER, **headers}, query=door.link()).access == READER


def test_the_scripts_of_the_page_are_sent_behind_a_proxy_that_changes_the_host() -> None:
    """Chromium names the origin for them, and over plain HTTP nothing else; they are the same for everybody."""
    door = Door()
    headers = {**door.session(), "host": "app:8000", "origin": "http://shop.lan"}

    assert door.ask(headers, path="static/app.js") == Admission(READER)
    assert status_of(door.ask(headers, path="staticx")) == 401


def sign_in(door: Door, form: bytes, headers: dict[str, str] | None = None, client: str = CLIENT) -> Answer:
    return door.guard.sign_in(scope_of(headers or BROWSER, "POST"), form, client=client)


def test_the_form_is_let_through_to_be_answered() -> None:
    """Without access; but not from another site's page, nor over the limit."""
    door = Door()

    assert door.ask(BROWSER, method="POST", path="session") == Admission(NOBODY)
    assert status_of(door.ask({**BROWSER, "origin": "null"}, method="POST", path="session")) == 403
    assert status_of(door.ask({**BROWSER, "sec-fetch-site": "cross-site"}, method="POST", path="session")) == 403
    for path in ("session/", "/session", "session/x", "SESSION"):
        assert status_of(door.ask(BROWSER, method="POST", path=path)) == 401
    for _ in range(10):
        sign_in(door, b"token=wrong")
    assert sign_in(door, b"token=s3cret").status == 429


def test_a_token_that_nobody_can_guess_is_never_shut_out() -> None:
    """Strangers behind the same proxy must not keep Prometheus, a probe or an operator away."""
    token = "k" * 20
    door = Door(token)
    for _ in range(30):
        door.ask(WRONG)
        sign_in(door, b"token=wrong")

    assert status_of(door.ask(WRONG)) == 429
    assert door.ask({"authorization": f"Bearer {token}"}).access == OWNER
    assert sign_in(door, f"token={token}".encode()).status == 303


def test_bad_links_and_cookies_shut_nobody_out() -> None:
    """Any page can send its visitors to a thousand of them; they are told, once a minute."""
    door = Door()
    session = door.session()
    forged = {"cookie": session["cookie"][:-1] + ("0" if session["cookie"][-1] != "0" else "1")}
    for _ in range(30):
        door.ask(BROWSER, query="once=x")
        door.ask(forged)

    assert door.ask(BEARER).access == OWNER
    assert [event["count"] for event in door.told] == [1]


@pytest.mark.parametrize("purpose", ["sec-purpose", "purpose", "x-moz"])
def test_a_browser_that_looks_ahead_does_not_use_a_link_up(purpose: str) -> None:
    """It asks again when somebody goes there."""
    door = Door()
    link = door.link()

    assert status_of(door.ask({**BROWSER, purpose: "prefetch;prerender"}, query=link)) == 401
    assert door.ask(BROWSER, query=link).access == READER


def test_the_right_token_leads_to_the_console_with_a_cookie() -> None:
    """Which is good for reading only."""
    door = Door()
    answer = sign_in(door, b"token=s3cret")

    assert (answer.status, header_of(answer, b"location")) == (303, b"/debug/logging")
    session = cookie_of(answer.headers)
    assert door.ask(session).access == READER
    assert status_of(door.ask(session, method="PUT")) == 403


@pytest.mark.parametrize("form", [b"", b"token", b"token=", b"token=S3CRET", b"token=s3cret&token=s3cret", b"\xff=%ff",
                                  b"token=s3cret%00", b"&".join([b"a=1"] * 99) + b"&token=s3cret"])  # fmt: skip
def test_a_wrong_token_in_the_form_is_asked_for_again(form: bytes) -> None:
    """And counted."""
    door = Door()
    answer = sign_in(door, form)

    assert answer.status == 401
    assert b'action="/debug/logging/session"' in answer.body
    assert b'role="alert"' in answer.body
    assert door.told[0]["reason"] == "wrong_token"


def test_a_form_that_was_on_its_way_when_the_limit_was_reached_is_not_compared() -> None:
    """Or a thousand at a time would all be."""
    door = Door()
    answers = [sign_in(door, b"token=wrong") for _ in range(11)]

    assert [answer.status for answer in answers] == [401] * 10 + [429]
    assert sign_in(door, b"token=s3cret").status == 429
    assert sign_in(door, b"token=s3cret", {"accept": "*/*"}).content_type == b"application/json"
    assert sign_in(door, b"token=s3cret", client="203.0.113.8").status == 303


async def _later(answer: object) -> Any:
    await asyncio.sleep(0)
    if isinstance(answer, Exception):
        raise answer
    return answer


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_users_own_authentication_decides_by_request(asynchronous: bool) -> None:
    """It sees the method, and is asked only where neither token nor cookie is enough."""
    asked: list[str] = []

    def allow(scope: Any) -> Any:
        asked.append(scope["method"])
        allowed = (b"x-user", b"ann") in scope["headers"] and scope["method"] in ("GET", "PUT")
        return _later(allowed) if asynchronous else allowed

    door = Door(allow=allow)
    ann = {"x-user": "ann"}

    assert door.ask(ann).access == OWNER
    assert door.ask(ann, method="PUT").access == OWNER
    assert status_of(door.ask(ann, method="DELETE")) == 401
    assert status_of(door.ask({"x-user": "bob"})) == 401
    assert asked == ["GET", "PUT", "DELETE", "GET"]
    asked.clear()
    assert door.ask(BEARER, method="DELETE").access == OWNER
    session = door.session()
    assert door.ask(session).access == READER
    assert asked == []
    assert door.ask({**session, **ann}, method="PUT").access == OWNER
    assert status_of(door.ask(session, method="PUT")) == 403


def test_a_bearer_token_of_the_users_own_is_theirs_to_judge() -> None:
    """Only if they refuse it, too, is it a failed try."""
    door = Door(allow=lambda scope: (b"authorization", b"Bearer of-the-company") in scope["headers"])

    assert door.ask({"authorization": "Bearer of-the-company"}, method="PUT").access == OWNER
    session = door.session()
    assert door.ask({**session, "authorization": "Bearer of-the-company"}).access == READER
    assert door.ask({**session, "authorization": "Bearer of-the-company"}, method="PUT").access == OWNER
    assert door.told == []
    assert status_of(door.ask(WRONG)) == 401
    assert door.told[0]["reason"] == "wrong_token"


@pytest.mark.parametrize("answer", [None, 1, "yes", [True], object(), ValueError("broken")])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_anything_but_true_refuses(answer: object, asynchronous: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it raises is reported, not raised: a broken guard must not open the door, nor break the request."""
    monkeypatch.setattr(_runtime, "_state", _runtime._State())

    def allow(_: Any) -> Any:
        if asynchronous:
            return _later(answer)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert status_of(Door(allow=allow).ask()) == 401
    assert _runtime.default_engine().snapshot()["diagnostics"]["counts"] == {"debug route": 1}


def test_a_scope_that_is_changed_by_it_is_a_copy() -> None:
    """Frameworks put things into the scope that they are given."""
    seen: list[Any] = []

    def allow(scope: Any) -> bool:
        scope["state"] = 1
        seen.append(scope)
        return True

    scope = scope_of()
    asyncio.run(Door(allow=allow).guard.admit(scope, path="", client=CLIENT))
    assert (len(seen), "state" in scope) == (1, False)


def test_whom_the_application_allows_strangers_cannot_shut_out() -> None:
    """Tokens of the application's own are none of ours: ten users without the right must not lock the eleventh out."""
    door = Door(None, allow=lambda scope: (b"authorization", b"Bearer of-ann") in scope["headers"])
    answered = [status_of(door.ask({"authorization": f"Bearer of-user-{number}"})) for number in range(11)]

    assert answered == [401] * 10 + [429]
    assert door.ask({"authorization": "Bearer of-ann"}).access is OWNER
    assert len(door.told) == 1


def test_with_allow_and_no_token_nobody_can_sign_in(capsys: pytest.CaptureFixture[str]) -> None:
    """There is no token to know, none is told, and the page offers no form."""
    door = Door(None, allow=lambda _: False)
    door.options.announce()
    refused = door.ask(BROWSER)

    assert capsys.readouterr().err == ""
    assert refused.refusal is not None
    assert b"<form" not in refused.refusal.body
    assert sign_in(door, b"token=x").status == 404


def test_the_link_that_is_told_opens_at_any_time_and_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Until it was opened, it is as good as the process."""
    door = Door(None)

    async def start() -> None:
        door.options.announce()

    asyncio.run(start())
    link, token = (line.split()[-1] for line in capsys.readouterr().err.splitlines())
    door.clock.advance(10_000_000)
    query = urlsplit(link).query

    assert parse_qs(query).keys() == {"once"}
    assert door.ask(BROWSER, query=query).access == READER
    assert status_of(door.ask(BROWSER, query=query)) == 401
    assert door.ask({"authorization": f"Bearer {token}"}, method="PUT").access == OWNER
    assert token not in link


@given(
    st.lists(st.tuples(st.sampled_from(["host", "authorization", "cookie", "accept", "origin", "sec-fetch-site", "x"]),
                       st.binary(max_size=80)), max_size=6),
    st.binary(max_size=80),
    st.sampled_from(["GET", "HEAD", "PUT", "POST", "OPTIONS", "X"]),
    st.sampled_from(["", "session", "levels"]),
)  # fmt: skip
def test_nothing_that_a_stranger_sends_opens_or_raises(
    headers: list[tuple[str, bytes]], query: bytes, method: str, path: str
) -> None:
    """Every answer is a refusal, but for the form."""
    door = Door()
    scope = {**scope_of(method=method), "query_string": query}
    scope["headers"] = [(name.encode(), value) for name, value in headers]
    admission = asyncio.run(door.guard.admit(scope, path=path, client=CLIENT))

    assert admission.access is NOBODY
    assert (admission.refusal is None) == (path == "session" and method == "POST" and status_of(admission) == 200)
    assert door.guard.sign_in(scope, query, client=CLIENT).status in (401, 429)


def test_a_new_guard_needs_nobody_to_tell() -> None:
    """The report is optional."""
    guard: Callable[..., Any] = Guard(DebugOptions(token="s3cret")).admit

    assert status_of(asyncio.run(guard(scope_of(WRONG), path="", client=CLIENT))) == 401


def test_without_a_token_nobody_is_asked_for_one() -> None:
    """Who may read by ``allow`` and changes something is told who decides that."""
    door = Door(None, allow=lambda scope: scope["method"] == "GET")

    assert door.ask().access is OWNER
    refusal = door.ask(method="PUT").refusal
    assert refusal is not None
    assert (refusal.status, orjson.loads(refusal.body)) == (401, {"error": "the application does not allow this"})
