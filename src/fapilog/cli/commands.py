"""Reads the command line and runs the one command that it names."""

import argparse
import sys
from collections.abc import Sequence
from typing import Protocol

from fapilog._version import __version__
from fapilog.cli import console_link, level_token
from fapilog.errors import ConfigError

_WRONG = 2


class Command(Protocol):
    """What a command's module has."""

    NAME: str
    SUMMARY: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...  # noqa: D102 - see fapilog.cli
    def run(self, arguments: argparse.Namespace) -> str: ...  # noqa: D102


_COMMANDS: tuple[Command, ...] = (level_token, console_link)


def main(arguments: Sequence[str]) -> int:
    """Run a command and return the exit code: 0, or 2 if something that was given cannot be used.

    What the command has made is all that goes to standard output; errors go to standard error.

    Args:
        arguments: The command line without the program's name.

    Raises:
        SystemExit: From ``argparse``: 0 after help, 2 for arguments that it does not know.
    """
    parser = argparse.ArgumentParser(prog="python -m fapilog", description="Tools of fapilog for the shell.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", metavar="<command>")
    for command in _COMMANDS:
        each = commands.add_parser(command.NAME, help=command.SUMMARY, description=command.SUMMARY)
        command.add_arguments(each)
        each.set_defaults(run=command.run, prog=each.prog)
    chosen = parser.parse_args(arguments)
    if not hasattr(chosen, "run"):
        parser.print_help()
        return 0
    try:
        made = chosen.run(chosen)
    except ConfigError as error:
        sys.stderr.write(f"{chosen.prog}: {error}\n")
        return _WRONG
    sys.stdout.write(f"{made}\n")
    return 0
