"""``X-Log-Level`` on a request: verified, or ignored, counted and told.

The client learns nothing of either: no answer is another for it.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

from fapilog import _runtime
from fapilog.asgi.debug.auth import Token
from fapilog.asgi.debug.level_tokens import WRONG_SIGNATURE, LevelTokens
from fapilog.asgi.debug.tries import Tries
from fapilog.asgi.loud import Grant
from fapilog.clock import Clock

REFUSED = "log_level_header_refused"
TOO_MANY = "too_many_tries"
_SAY_EVERY_SECONDS = 60.0


class LevelHeaders:
    """Takes the headers of requests. For one event loop.

    After ten forged values of one address within a minute its headers are refused until the minute is over, the right
    one too if the token is short enough to be guessed. These tries are not the console's: what comes with the requests
    of an office must not shut its engineer out there.

    Args:
        token: The console's; None, where it has none, ignores the header.
        tell: Logs a refusal.
        clock: For deadlines.

    Attributes:
        refused: How many were refused, by reason.
    """

    def __init__(
        self,
        token: Token | None,
        tell: Callable[[str, dict[str, Any]], None],
        clock: Clock,
    ) -> None:
        """Refuse nothing yet."""
        self.refused: Counter[str] = Counter()
        self._levels = _runtime.origin("root").queue.levels
        self._is_long = token is not None and token.is_long
        self._tokens = None if token is None else LevelTokens(token, self._levels, clock)
        self._tell = tell
        self._clock = clock
        self._tries = Tries(None, clock)
        self._said: dict[str, tuple[float, int]] = {}

    def grant(self, value: bytes, client: str) -> Grant | None:
        """Return what a header asks for, or None if it is refused; the grant ends when the header does.

        Args:
            value: The header as it came.
            client: Whose request it is.
        """
        if self._tokens is None:
            return None
        wish = self._tokens.verify(value)
        # One that nobody can have guessed is good all the same: strangers behind the same proxy must not shut it out.
        if (isinstance(wish, str) or not self._is_long) and self._tries.shut_out(client):
            self._refuse(TOO_MANY, client)
            return None
        if isinstance(wish, str):
            if wish == WRONG_SIGNATURE:
                self._tries.fail(client, wish)
            self._refuse(wish, client)
            return None
        return Grant(wish.levelno, self._levels.name(wish.levelno), self._clock.monotonic() + wish.seconds_left)

    def _refuse(self, reason: str, client: str) -> None:
        """Count a refusal, and say how many there were, at most once a minute for each reason."""
        self.refused[reason] += 1
        now = self._clock.monotonic()
        again, told = self._said.get(reason, (now, 0))
        if now < again:
            return
        count = self.refused[reason]
        self._said[reason] = (now + _SAY_EVERY_SECONDS, count)
        self._tell(REFUSED, {"client_ip": client, "reason": reason, "count": count - told})
