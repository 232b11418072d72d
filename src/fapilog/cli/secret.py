"""Where a command gets the console's token from: never from its arguments, which every user of the machine can list."""

import argparse
import getpass
import os
import sys

from fapilog.errors import ConfigError

VARIABLE = "FAPILOG_DEBUG_ROUTE__TOKEN"
"""Where the application looks for it, too."""


def add_token_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says where the token is."""
    parser.add_argument(
        "--token-env",
        metavar="NAME",
        help=f"the environment variable that holds the console's token; default: {VARIABLE}, and where that is not "
        "set, one line of standard input",
    )


def token_of(arguments: argparse.Namespace) -> str:
    """Return the token: of the variable that was named, of the usual one, or of standard input.

    At a terminal it is asked for, and not shown.

    Raises:
        ConfigError: If there is none. What was found is not shown.
    """
    named: str | None = arguments.token_env
    if named is not None and named not in os.environ:
        # Somebody may have given the token itself here.
        raise ConfigError("there is no environment variable of this name").at("--token-env")
    found = os.environ.get(VARIABLE if named is None else named)
    if found is not None:
        return found
    if sys.stdin.isatty():
        return getpass.getpass("token: ")
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise ConfigError(f"no token: set {VARIABLE}, name another variable, or write it to standard input").at("token")
    return line
