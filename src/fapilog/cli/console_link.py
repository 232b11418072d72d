"""``python -m fapilog console-link``: a link that opens the console once."""

import argparse

from fapilog.asgi.debug import tickets
from fapilog.cli.secret import add_token_arguments, token_of
from fapilog.edge_options import DEBUG_PATH

NAME = "console-link"
SUMMARY = "Print a link that opens the console once, for reading, to whoever has it first."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("--base", default="http://127.0.0.1:8000", help="scheme, host and port; default: %(default)s")
    parser.add_argument("--path", default=DEBUG_PATH, help="where the console stands; default: %(default)s")
    parser.add_argument("--ttl", default="10m", help="how long it can be opened; at most 24h; default: 10m")
    add_token_arguments(parser)


def run(arguments: argparse.Namespace) -> str:
    """Return the link.

    Raises:
        ConfigError: If something that was given cannot be used.
    """
    return tickets.one_time_link(token_of(arguments), arguments.path, arguments.base, arguments.ttl)
