"""``python -m fapilog level-token``: a value for the header ``X-Log-Level``."""

import argparse

from fapilog.asgi.debug import level_tokens
from fapilog.cli.secret import add_token_arguments, token_of

NAME = "level-token"
SUMMARY = "Print a signed value for the request header X-Log-Level, which makes the events of a request louder."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("--level", default="DEBUG", help="lowest level, by name or number; default: DEBUG")
    parser.add_argument(
        "--ttl", default="10m", help="how long it is good, such as 90s, 10m, 1h; at most 24h; default: 10m"
    )
    add_token_arguments(parser)


def run(arguments: argparse.Namespace) -> str:
    """Return the value.

    Raises:
        ConfigError: If something that was given cannot be used.
    """
    level = f"LEVEL_{arguments.level}" if arguments.level.isdecimal() else arguments.level
    return level_tokens.level_token(token_of(arguments), level, arguments.ttl)
