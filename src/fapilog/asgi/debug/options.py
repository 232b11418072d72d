"""Where the debug route stands, and who may read it."""

from fapilog.asgi.debug.auth import Token
from fapilog.asgi.debug.link import make_link, tell
from fapilog.errors import ConfigError

DEFAULT_PATH = "/debug/logging"
_NOT_IN_A_PATH = "?#% {}"


class DebugOptions:
    """Path and token of the route.

    Attributes:
        path: Where it stands, below the application's root path.
        token: What a reader has to show.
        announced: Whether there is no link to tell, or no more.
    """

    def __init__(self, path: str = DEFAULT_PATH, token: str | None = None) -> None:
        """Check both.

        Args:
            path: A plain absolute path without a slash at its end.
            token: Printable ASCII; None for a generated one, which is told once on standard error.

        Raises:
            ConfigError: If one cannot be used.
        """
        plain = isinstance(path, str) and path.startswith("/") and path.isascii() and path.isprintable()
        if not plain or path.endswith("/") or "//" in path or any(c in path for c in _NOT_IN_A_PATH):
            raise ConfigError.wrong("with_debug_route(path)", path, f'a plain path such as "{DEFAULT_PATH}"')
        self.path = path
        self.token = Token(token)
        self.announced = not self.token.generated

    def announce(self) -> None:
        """Tell the link, unless that was done; a configured token is never printed."""
        if not self.announced:
            self.announced = True
            tell(make_link(self.path, self.token.reveal()))
