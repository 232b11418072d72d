"""Where the console stands, who may read it, and how much it keeps: the options as its parts use them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Self

from fapilog.asgi.debug.auth import Token
from fapilog.asgi.debug.link import base_of, base_url, tell
from fapilog.asgi.debug.tickets import Tickets, link_of, signer_of
from fapilog.asgi.types import Scope
from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.edge_options import DEBUG_PATH, DebugRouteOptions

Allow = Callable[[Scope], bool | Awaitable[bool]]


class DebugOptions:
    """What was chosen about a console, and its token.

    Attributes:
        path: Where it stands, below the application's root path.
        token: What a reader has to show. With ``allow`` and no token of its own nobody knows it.
        hosts: Names that are as good as ``localhost``.
        allow: The application's own authentication, or None.
        keep_bytes: How much of the latest events is kept.
        max_tails: How many may watch at a time.
        spans: How many ended spans are kept.
        trace_url: Where a trace can be looked at, with ``{trace_id}`` in it, or None.
        tickets: Which were used, by whichever of the applications that these options are for.
        takes_token: Whether there is a token that somebody can know.
        announced: Whether there is no link to tell, or no more.
    """

    def __init__(
        self,
        path: str = DEBUG_PATH,
        token: str | None = None,
        *,
        hosts: Sequence[str] = (),
        allow: Allow | None = None,
        keep: int | str = "8 MB",
        max_tails: int = 8,
        spans: int = 2_000,
        trace_url: str | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Check all; see :class:`fapilog.edge_options.DebugRouteOptions`.

        Args:
            path: A plain absolute path without a slash at its end.
            token: Printable ASCII; None for a generated one, which is told once on standard error unless there is
                ``allow``.
            hosts: Names of the console on this machine.
            allow: Says of the scope of a request without the token whether it may read and change.
            keep: Bytes, or such as ``"8 MB"``.
            max_tails: A number.
            spans: A number.
            trace_url: A link.
            clock: For the ends of tickets.

        Raises:
            ConfigError: If one cannot be used.
        """
        options = DebugRouteOptions(path, token, hosts, keep, max_tails, spans, trace_url)
        self.path = options.path
        self.token = Token(options.token)
        self.hosts = frozenset(options.hosts)
        self.allow = allow
        self.keep_bytes = options.keep_bytes
        self.max_tails = options.max_tails
        self.spans = options.spans
        self.trace_url = options.trace_url
        self.takes_token = options.token is not None or allow is None
        self.announced = not self.takes_token or not self.token.generated
        self._signer = signer_of(self.token, clock)
        self.tickets = Tickets(self._signer)

    @classmethod
    def of(cls, options: DebugRouteOptions, allow: Allow | None = None) -> Self:
        """Return the options of a console that the configuration asks for."""
        return cls(
            options.path,
            options.token,
            hosts=options.hosts,
            allow=allow,
            keep=options.keep,
            max_tails=options.max_tails,
            spans=options.spans,
            trace_url=options.trace_url,
        )

    def announce(self, root_path: str = "") -> None:
        """Tell a link that opens once and the token, unless that was done; a configured token is never printed.

        The link holds until it was opened, and no longer than the token, which is this process's.

        Args:
            root_path: Of the request at hand, if there is one: a lifespan may not have begun, or be another one's.
        """
        if not self.announced:
            self.announced = True
            base = base_url()
            place = f"{base}{self.path}" if base else base_of(root_path, self.path)
            link = link_of(place, self._signer.make(None))
            tell(f"fapilog: debug route: {link}", f"fapilog: debug token: {self.token.reveal()}")
