"""``python -m fapilog <command>``: what can be done from a shell.

=====================  ========================================================================
``level-token``        a value for ``X-Log-Level``, which makes a request louder
``console-link``       a link that opens the console once
=====================  ========================================================================

Each command is a module with ``NAME``, ``SUMMARY``, ``add_arguments(parser)`` and ``run(arguments)``, which returns
what is printed and raises ``ConfigError`` for what cannot be used; :mod:`fapilog.cli.commands` has the list.
"""

from fapilog.cli.commands import main

__all__ = ["main"]
