"""Who may read the console, and who may change something: asked for every request, before anything else is done.

request ─► Host over loopback: 421 ─► a change from another site's page: 403
        ─► cookie, link that opens once: READ, unless another site's page loads it, or a browser before anybody asks
        ─► not enough for it: token: CHANGE, after too many wrong ones of the address 429 │ allow=: CHANGE
        ─► none of them: 401, the form for browsers ─► a change with READ alone: 403
"""

import asyncio
import inspect
from typing import NamedTuple
from urllib.parse import parse_qsl

from fapilog.asgi.access import diagnose
from fapilog.asgi.debug.answers import Answer, refuse
from fapilog.asgi.debug.auth import Access, bearer_of
from fapilog.asgi.debug.hosts import is_ahead, is_foreign, is_misdirected, is_navigation
from fapilog.asgi.debug.login import page, prefers_html
from fapilog.asgi.debug.options import DebugOptions
from fapilog.asgi.debug.session import Sessions, Shown
from fapilog.asgi.debug.tries import Report, Tries
from fapilog.asgi.types import Scope
from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.diagnostics import attempt

SESSION = "session"
_READING = ("GET", "HEAD")
_MAX_FIELDS = 20
_FILES = "static/"
_WRONG_TOKEN, _FORGED_COOKIE = "wrong_token", "forged_cookie"
_AUTHENTICATE = (b"www-authenticate", b'Bearer realm="fapilog"')
_SAID = {
    _WRONG_TOKEN: "That is not the token.",
    "used_ticket": "This link was opened before; each opens once.",
    "expired_ticket": "This link is too old.",
    "forged_ticket": "This link is not one of this process.",
    "too_many_tickets": "Too many links were opened; wait until one has expired.",
}


class Admission(NamedTuple):
    """What a request may do.

    Attributes:
        access: How far it may go.
        refusal: What is answered instead; None if it may go on.
        headers: What the answer has to carry in addition.
    """

    access: Access
    refusal: Answer | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Guard:
    """Decides for one console. Thread-safe; in a forked child with the same keys and counts of its own.

    Args:
        options: Its options.
        clock: For ends and windows.
        report: Takes what is to be logged about failed tries, at WARNING.
    """

    def __init__(self, options: DebugOptions, clock: Clock = SYSTEM_CLOCK, report: Report | None = None) -> None:
        """Begin with no failed tries."""
        self._options = options
        self._sessions = Sessions(options.token, options.path, clock)
        self._tries = Tries(report, clock)

    async def admit(self, scope: Scope, *, path: str, client: str) -> Admission:
        """Return what a request may do. Never raises for what a client sends or for what ``allow`` does.

        Args:
            scope: Of the request, of type ``http``.
            path: What it asks for below the console's path: ``""`` for the page, ``"session"``, ``"levels"``, …
                A POST to ``session`` needs no access: it is what :meth:`sign_in` answers.
            client: The client's address, that of before trusted proxies; failed tries are counted by it.
        """
        if is_misdirected(scope, self._options.hosts):
            error = "this host is not served here; a proxy's is named in with_debug_route(hosts=…)"
            return Admission(Access.NONE, refuse(421, error))
        signs_in = path == SESSION and scope["method"] == "POST"
        changes = scope["method"] not in _READING
        foreign = is_foreign(scope, self._options.hosts)
        if changes and foreign:
            error = "another site's page may not do this; a proxy's host is named in with_debug_route(hosts=…)"
            return Admission(Access.NONE, refuse(403, error))
        if signs_in:
            return Admission(Access.NONE)
        access, reason, headers = self._shown(scope, path, foreign=foreign)
        needed = Access.CHANGE if changes else Access.READ
        bearer, shut_out = bearer_of(scope["headers"]), None
        # Where the cookie is enough a token is not compared: a gateway's own is no try, and a guess learns nothing.
        if access < needed and bearer is not None:
            shut_out = self._shut_out(scope, client, bearer)
            right = shut_out is None and self._options.token.matches(bearer)
            access, reason = (Access.CHANGE, "") if right else (Access.NONE, _WRONG_TOKEN)
        # The application's own users may show tokens that are none of ours: what those of one address do is theirs.
        if access < needed and await self._is_allowed(scope):
            access = Access.CHANGE
        if access is Access.NONE:
            return Admission(access, shut_out or self._unauthorized(scope, client, reason))
        if changes and access is Access.READ:
            return Admission(access, refuse(403, "changes need the token, as Authorization: Bearer"))
        return Admission(access, None, headers)

    def sign_in(self, scope: Scope, form: bytes, *, client: str) -> Answer:
        """Answer the login form, once :meth:`admit` has let it through: 303 to the console with a cookie, or 401.

        Args:
            scope: Of the request.
            form: Its body.
            client: As for :meth:`admit`.
        """
        if not self._options.takes_token:
            return refuse(404, "there is no token; the application decides who may read")
        given = _fields(form, "token")
        shut_out = self._shut_out(scope, client, given[0] if len(given) == 1 else b"")
        if shut_out is not None:
            return shut_out
        if len(given) != 1 or not self._options.token.matches(given[0]):
            return self._unauthorized(scope, client, _WRONG_TOKEN)
        place = self._sessions.place(scope).encode("ascii")
        return Answer(303, b"", b"text/plain", ((b"location", place), self._sessions.cookie(scope)))

    def close(self) -> None:
        """Tell of the failed tries that were not told yet: the application stops."""
        self._tries.close()

    def _shown(self, scope: Scope, path: str, *, foreign: bool) -> tuple[Access, str, tuple[tuple[bytes, bytes], ...]]:
        """Return what a browser shows by itself: access, else what was wrong with it; and a cookie for a ticket.

        Nothing, if nobody goes there but another site's page loads it, or the browser looks ahead. Behind a proxy that
        changes ``Host`` our own scripts look foreign: browsers name the origin for modules. They are no secret.
        """
        if is_ahead(scope) or (foreign and not is_navigation(scope) and not path.startswith(_FILES)):
            return Access.NONE, "", ()
        session = self._sessions.shown(scope)
        reason = _FORGED_COOKIE if session is Shown.FORGED else ""
        tickets = _tickets(scope) if not path else []
        if tickets:
            # A link that is opened again in the same browser is no attempt: the cookie has the say.
            reason = self._options.tickets.take(tickets[0] if len(tickets) == 1 else b"")
            if not reason:
                return Access.READ, "", (self._sessions.cookie(scope),)
        return (Access.READ, "", ()) if session is Shown.VALID else (Access.NONE, reason, ())

    async def _is_allowed(self, scope: Scope) -> bool:
        """Ask the application's own authentication; what it raises is reported and refuses."""
        allow = self._options.allow
        if allow is None:
            return False
        said, error = attempt(allow, dict(scope))
        if inspect.isawaitable(said):
            [said] = await asyncio.gather(said, return_exceptions=True)
            error = said if isinstance(said, Exception) else None
        if error is None and not isinstance(said, bool):
            error = TypeError(f"with_debug_route(allow) returned {type(said).__name__}, not True or False")
        if error is not None:
            diagnose("debug route", error)
        return said is True

    def _unauthorized(self, scope: Scope, client: str, reason: str) -> Answer:
        """Count a failed try, if it was one, and ask for the token."""
        if reason:
            # Only a token can be guessed. A signature of 256 bits cannot, and any page can send visitors to a bad link.
            self._tries.fail(client, reason, counts=reason == _WRONG_TOKEN)
        if not prefers_html(scope["headers"]):
            takes_token = self._options.takes_token
            needed = "a valid token is needed" if takes_token else "the application does not allow this"
            return refuse(401, needed, (_AUTHENTICATE,))
        return page(401, self._action(scope), _SAID.get(reason, ""), (_AUTHENTICATE,))

    def _shut_out(self, scope: Scope, client: str, given: bytes) -> Answer | None:
        """Refuse to compare a token after too many wrong ones of the address.

        One that nobody can have guessed is good all the same: strangers behind the same proxy must not shut it out.
        """
        seconds = self._tries.shut_out(client)
        token = self._options.token
        if not seconds or (token.is_long and token.matches(given)):
            return None
        said, headers = "too many failed tries", ((b"retry-after", str(seconds).encode("ascii")),)
        if not prefers_html(scope["headers"]):
            return refuse(429, said, headers, retry_after_seconds=seconds)
        return page(429, self._action(scope), f"Too many failed tries. Try again in {seconds} s.", headers)

    def _action(self, scope: Scope) -> str | None:
        return f"{self._sessions.place(scope)}/{SESSION}" if self._options.takes_token else None


def _tickets(scope: Scope) -> list[bytes]:
    """Return the tickets of a link that a browser opens; a HEAD, an image or a frame takes none."""
    opened = scope["method"] == "GET" and prefers_html(scope["headers"]) and is_navigation(scope) is not False
    return _fields(scope["query_string"], "once") if opened else []


def _fields(query: bytes, name: str) -> list[bytes]:
    """Return the values of a field in a query or form; none if it is malformed or absurdly long."""
    try:
        fields = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        return []
    return [value.encode("utf-8", "replace") for key, value in fields if key == name]
