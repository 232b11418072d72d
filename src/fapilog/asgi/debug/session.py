"""``POST /debug/logging/session``: the login form, and the cookie that it sets, good for reading and for no other site.

    fapilog_console=<signed end>; HttpOnly; SameSite=Strict; Path=<the console's>; Max-Age=43200[; Secure]

Nothing of it is kept: with a configured token it opens the console of every worker process, also after a restart,
and is void as soon as the token is another one.
"""

from enum import Enum, auto

from fapilog.asgi.debug.answers import Answer, BadRequestError
from fapilog.asgi.debug.auth import Token
from fapilog.asgi.debug.link import base_of
from fapilog.asgi.debug.request import Request
from fapilog.asgi.debug.signed import Signer
from fapilog.asgi.types import Scope
from fapilog.clock import SYSTEM_CLOCK, Clock

COOKIE = b"fapilog_console"
SECONDS = 43_200
_PURPOSE = b"session"
_MAX_COOKIES = 8
_MAX_FORM = 4_096
_FORM = "application/x-www-form-urlencoded"


class Shown(Enum):
    """What a request shows of a session."""

    NONE = auto()
    """Nothing, or what was good once: expired, or signed with another token."""
    VALID = auto()
    FORGED = auto()


class Sessions:
    """Makes and knows the cookies of one token. Immutable; thread-safe.

    Args:
        token: What they are signed with, by a key of its own.
        path: The console's, below the application's root path.
        clock: For their end, by the wall clock.
    """

    def __init__(self, token: Token, path: str, clock: Clock = SYSTEM_CLOCK) -> None:
        """Derive the key."""
        self._signer = Signer(token.key(_PURPOSE), clock)
        self._path = path

    def cookie(self, scope: Scope) -> tuple[bytes, bytes]:
        """Return the header that begins a session."""
        secure = "; Secure" if scope.get("scheme") == "https" else ""
        value = (
            f"{COOKIE.decode()}={self._signer.make(SECONDS)}; HttpOnly; SameSite=Strict; "
            f"Path={self.place(scope)}; Max-Age={SECONDS}{secure}"
        )
        return b"set-cookie", value.encode("ascii")

    def place(self, scope: Scope) -> str:
        """Return the console's path as a client sees it, below the root path, percent-encoded."""
        return base_of(scope.get("root_path", ""), self._path)

    def shown(self, scope: Scope) -> Shown:
        """Tell what a request shows. Of several cookies of the name one that is good is enough."""
        forged = False
        for value in _values(scope)[:_MAX_COOKIES]:
            found = self._signer.find(value)
            if found is not None and not found.expired:
                return Shown.VALID
            forged = forged or (found is None and self._signer.is_of_this_key(value))
        return Shown.FORGED if forged else Shown.NONE


async def session(request: Request) -> Answer:
    """Answer the login form; the guard compares the token.

    Raises:
        BadRequestError: If the form is over 4 KB, of another type, or does not come to its end.
    """
    if (request.header(b"content-type") or "").partition(";")[0].strip().lower() != _FORM:
        raise BadRequestError(f"the body has to be {_FORM}, with the field token", 415)
    form = await request.body(_MAX_FORM)
    answer: Answer = request.console.guard.sign_in(request.scope, form, client=request.client)
    return answer


def _values(scope: Scope) -> list[bytes]:
    pairs = (
        pair.strip().partition(b"=")
        for name, value in scope["headers"]
        if name.lower() == b"cookie"
        for pair in value.split(b";")
    )
    return [value for name, _, value in pairs if name == COOKIE]
