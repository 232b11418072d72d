"""What the routes of one application's console share. It lives as long as the application's middleware."""

from collections.abc import Callable, Mapping
from typing import Any

from fapilog import _runtime
from fapilog.asgi.debug.guard import Guard
from fapilog.asgi.debug.levels import TemporaryLevels
from fapilog.asgi.debug.louder import LouderRules
from fapilog.asgi.debug.options import DebugOptions
from fapilog.asgi.debug.tail import Tails
from fapilog.asgi.debug.told import tell
from fapilog.asgi.debug.turns import Turns
from fapilog.asgi.headers import HeaderReader
from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.diagnostics import attempt
from fapilog.levels import WARNING
from fapilog.units import parse_duration


class Console:
    """The state behind the routes. For one event loop at a time.

    Args:
        options: Where it stands and who may read it.
        engine: Returns the engine that it is about.
        chosen: The options of the application and its engine.
        clock: For everything that ends by itself.

    Attributes:
        guard: Decides who comes in.
        levels: Levels that were changed for a while.
        louder: Requests that say more than others.
        tails: Who watches events arrive.
        turns: Does what takes long, on a thread of its own.
        started: When, on the monotonic clock.
        withheld: Completion events that the rules of the edge held back, by rule.
    """

    def __init__(
        self,
        options: DebugOptions,
        engine: Callable[[], Any],
        chosen: Any,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Start with nothing changed and nobody looking."""
        self.options = options
        self.engine = engine
        self.withheld: Mapping[str, int] = {}
        self.clock = clock
        self.started = clock.monotonic()
        self.guard = Guard(options, clock, self.report)
        self.levels = TemporaryLevels(engine, clock)
        self.louder = LouderRules(options.token if options.takes_token else None, engine, clock, self.client_of)
        self.tails = Tails(options.max_tails, clock)
        self.turns = Turns()
        self._chosen = chosen
        self._headers = HeaderReader(chosen.asgi)

    def report(self, message: str, fields: Mapping[str, Any]) -> None:
        """Log what an operator has to know of who asks for the console, whatever the levels are."""
        tell(self.engine(), WARNING, message, fields)

    def client_of(self, scope: Any) -> str:
        """Return the address of whoever asks; ``""`` if nobody knows, as on a Unix socket."""
        peer = scope.get("client")
        if not peer or not peer[0]:
            return ""
        if not self._headers.trusts_proxies:
            return str(peer[0])
        client, failed = attempt(lambda: self._headers.client(peer[0], self._headers.read(scope["headers"])))
        return str(peer[0]) if failed is not None else str(client)

    def configuration(self) -> dict[str, Any]:
        """Return what was configured, by the name of each option, with whatever may be a secret hidden."""
        shown: dict[str, Any] = self._chosen.shown()
        return shown

    def recorder(self) -> dict[str, Any] | None:
        """Return what the flight recorder is set to, and what became of the events it kept; None without one."""
        chosen = self._chosen.flight_recorder
        if chosen is None:
            return None
        slow = parse_duration(chosen.slow_seconds, "with_flight_recorder(slow_seconds)")
        names = self.engine().queue.levels
        level = names.name(names.number(chosen.level, "with_flight_recorder(level)"))
        said = {"level": level, "on": list(chosen.on), "slow_seconds": slow}
        return {**said, **self.engine().ledger.figures()}

    def spans(self) -> Any:
        """Have the spans kept that end from now on, and return what keeps them; None if nothing makes any.

        Called at each request, as an SDK may be set up at any time.
        """
        wanted = self.options.spans
        return _runtime.span_watch().kept(self._chosen.tracer_provider, wanted) if wanted else None

    def close(self) -> None:
        """End what is on its way and take back what was changed for a while: the application stops."""
        self.guard.close()
        self.tails.close()
        self.louder.close()
        self.levels.close()
