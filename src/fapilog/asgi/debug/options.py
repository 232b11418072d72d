"""Where the debug route stands, and who may read it."""

from fapilog.asgi.debug.auth import Token
from fapilog.asgi.debug.link import make_link, tell
from fapilog.edge_options import DEBUG_PATH, DebugRouteOptions


class DebugOptions:
    """Path and token of the route.

    Attributes:
        path: Where it stands, below the application's root path.
        token: What a reader has to show.
        announced: Whether there is no link to tell, or no more.
    """

    def __init__(self, path: str = DEBUG_PATH, token: str | None = None) -> None:
        """Check both; see :class:`fapilog.edge_options.DebugRouteOptions`.

        Args:
            path: A plain absolute path without a slash at its end.
            token: Printable ASCII; None for a generated one, which is told once on standard error.

        Raises:
            ConfigError: If one cannot be used.
        """
        options = DebugRouteOptions(path, token)
        self.path = options.path
        self.token = Token(options.token)
        self.announced = not self.token.generated

    def announce(self) -> None:
        """Tell the link, unless that was done; a configured token is never printed."""
        if not self.announced:
            self.announced = True
            tell(make_link(self.path, self.token.reveal()))
