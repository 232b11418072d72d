"""One request louder: by a signed header, or by rules that are set from the console for a while.

    a request begins ─┬─ no X-Log-Level, no rule ─► as it was                  (one look into a dict)
                      ├─ the header is refused   ─► as it was; counted and told
                      └─ header or rule holds    ─► Loud around what was there; the levels' floor is open while it lives

    PUT {"level": "DEBUG", "ttl_seconds": 600, "path": "/orders/*", "header": "x-customer: 42", "user": "42"}
    PUT {"id": "3f9a1c07", "level": null}         takes one back
    GET {"rules": [{id, level, path, header, user, until, seconds_left, matched}]}

All conditions of a rule have to hold: path and header when the request begins, the user as soon as it is bound. A rule
ends by the clock, also if nothing runs that could say so.
"""

import math
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from fapilog.asgi.debug.answers import Answer, BadRequestError, as_json
from fapilog.asgi.debug.auth import Token
from fapilog.asgi.debug.level_headers import LevelHeaders
from fapilog.asgi.debug.louder_rule import LouderRule
from fapilog.asgi.debug.request import Request
from fapilog.asgi.debug.timers import CallLater, on_loop
from fapilog.asgi.debug.told import tell
from fapilog.asgi.exchange import BelowOf, Exchange
from fapilog.asgi.headers import LEVEL_HEADER
from fapilog.asgi.loud import Grant, Loud
from fapilog.clock import Clock
from fapilog.context import Below
from fapilog.errors import ConfigError
from fapilog.event import timestamp
from fapilog.levels import INFO, WARNING

MOST_RULES = 20
_OVER = -math.inf


class LouderRules:
    """Makes requests of one application louder. Requests and changes come on its event loop.

    Setting and ending a rule are events of the logger ``fapilog.console``, which come out whatever the levels are.

    Args:
        token: The console's; None, where it has none, ignores ``X-Log-Level``.
        engine: Returns the engine whose loggers become louder.
        clock: For the end of rules and headers.
        client_of: Returns the address of whoever has sent a request, from its scope.
        call_later: Calls what is due.

    Attributes:
        headers: Takes ``X-Log-Level``.
        rules: Those that have not been seen to be over, oldest first; replaced as a whole. Empty if nobody uses them.
    """

    def __init__(
        self,
        token: Token | None,
        engine: Callable[[], Any],
        clock: Clock,
        client_of: Callable[[Any], str],
        call_later: CallLater = on_loop,
    ) -> None:
        """Start without a rule."""
        self.rules: tuple[LouderRule, ...] = ()
        self.headers = LevelHeaders(token, partial(self._tell, WARNING), clock)
        self._engine = engine
        self._clock = clock
        self._client_of = client_of
        self._call_later = call_later

    def around(self, inner: BelowOf | None) -> BelowOf:
        """Return what says who takes the events of a request that are below the levels.

        Args:
            inner: Says who takes those of a request like any other, and what is left of a louder one.
        """

        def below(exchange: Exchange) -> Below | None:
            taker = None if inner is None else inner(exchange)
            if LEVEL_HEADER not in exchange.found and not self.rules:
                return taker
            return self._louder(exchange, taker)

        return below

    def _louder(self, exchange: Exchange, inner: Below | None) -> Below | None:
        now = self._clock.monotonic()
        grants: list[Grant] = [rule for rule in self.rules if now < rule.deadline and rule.fits(exchange.scope)]
        value = exchange.found.get(LEVEL_HEADER)
        asked = None if value is None else self.headers.grant(value, self._client_of(exchange.scope))
        if asked is not None:
            grants.append(asked)
        if not grants:
            return inner
        loud = Loud(grants, inner, exchange.context, self._clock.monotonic)
        levels = [grant.level for grant in grants if grant.user is None]
        if levels:
            # Open for as long as anything has the request's context: its tasks, its threads, and what they have begun.
            # The floor of a rule about a user is the rule's.
            close = weakref.finalize(loud, self._engine().open_floor(min(levels)))
            close.atexit = False
            loud.close_at_end(close)
        return loud

    def describe(self) -> dict[str, Any]:
        """Return the rules as ``GET`` answers them."""
        self._sweep()
        now = self._clock.monotonic()
        return {"rules": [rule.describe(now) for rule in self.rules]}

    def set(self, body: Mapping[str, Any], client: str) -> LouderRule:
        """Add a rule.

        Args:
            body: What is asked for, see :meth:`LouderRule.of`.
            client: Who asks.

        Raises:
            ConfigError: If it cannot be used, or there are 20 already.
        """
        self._sweep()
        engine = self._engine()
        rule = LouderRule.of(body, engine.queue.levels, self._clock)
        if len(self.rules) >= MOST_RULES:
            raise ConfigError.wrong("louder", MOST_RULES + 1, f"{MOST_RULES} rules at a time; take one back before")
        if rule.user is not None:
            # Whose request it is becomes known at some event of it; until then they all come as far as to ask.
            rule.close = engine.open_floor(rule.level)
        self.rules = (*self.rules, rule)
        seconds = rule.deadline - self._clock.monotonic()
        rule.timer = self._call_later(seconds, partial(self._end, rule, "expired"))
        self._tell(INFO, "louder_rule_set", {**_said(rule), "client_ip": client, "until": timestamp(rule.until_ns)})
        return rule

    def take_back(self, rule_id: object, client: str) -> bool:
        """End a rule before its time; False if there is none of this id."""
        self._sweep()
        for rule in self.rules:
            if rule.id == rule_id:
                self._end(rule, "taken_back", client_ip=client)
                return True
        return False

    def close(self) -> None:
        """End all rules, because the application does; before the engine is drained, for each is an event."""
        for rule in self.rules:
            self._end(rule, "shutdown")

    def _sweep(self) -> None:
        """End what has expired while there was no loop to do it."""
        now = self._clock.monotonic()
        for rule in self.rules:
            if now >= rule.deadline:
                self._end(rule, "expired")

    def _end(self, rule: LouderRule, reason: str, **who: str) -> None:
        if rule not in self.rules:
            return
        self.rules = tuple(other for other in self.rules if other is not rule)
        # Requests that it has made louder have it still.
        rule.deadline = _OVER
        if rule.timer is not None:
            rule.timer.cancel()
        if rule.close is not None:
            rule.close()
        self._tell(INFO, "louder_rule_ended", {**_said(rule), "reason": reason, "matched": rule.matched, **who})

    def _tell(self, levelno: int, message: str, fields: Mapping[str, Any]) -> None:
        tell(self._engine(), levelno, message, fields)


async def get_louder(request: Request) -> Answer:
    """Answer the rules."""
    return as_json(request.console.louder.describe())


async def put_louder(request: Request) -> Answer:
    """Add a rule or take one back, and answer them all.

    Raises:
        BadRequestError: If the body asks for nothing that there is; 404 for a rule that is not there, or no more.
    """
    body = await request.json()
    louder = request.console.louder
    if "id" in body:
        if body.keys() != {"id", "level"} or body["level"] is not None:
            raise BadRequestError('a rule is taken back by {"id": "…", "level": null}')
        if not louder.take_back(body["id"], request.client):
            raise BadRequestError("there is no rule of this id, or no more", 404)
        return as_json(louder.describe())
    try:
        louder.set(body, request.client)
    except ConfigError as error:
        raise BadRequestError(str(error)) from None
    return as_json(louder.describe())


def _said(rule: LouderRule) -> dict[str, Any]:
    """Return what events tell of a rule."""
    conditions = {f"rule_{key}": value for key, value in rule.conditions().items() if value is not None}
    return {"rule_id": rule.id, "rule_level": rule.name, **conditions}
