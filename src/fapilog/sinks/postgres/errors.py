"""What a failure means to delivery, by its SQLSTATE, told without what the server or asyncpg says.

Their texts may quote the address or what an event holds. Source: PostgreSQL documentation, "PostgreSQL Error Codes".

======================================  ==================================================================
SQLSTATE                                what delivery is told
======================================  ==================================================================
22, 23, 44, 54, P0 (data, constraint,   not retryable: something in this batch is to blame
a limit of PostgreSQL, a trigger)
28, 3D, 3F, 42, 0A (credentials,        in ``open`` a wrong configuration; in ``write`` retryable in 30 s,
database, schema, permission, table)    because somebody may set it right while events wait
53100 (disk full) and other 53, 58, XX  retryable in 5 s
everything else, and lost connections   retryable
======================================  ==================================================================
"""

import ssl

import asyncpg  # type: ignore[import-untyped]  # it has no types

from fapilog.diagnostics import type_name
from fapilog.errors import SinkError

FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, EOFError, ValueError)
"""What asyncpg raises; ``ValueError`` for a part of the address that it cannot read."""
UNDEFINED_TABLE = "42P01"

_BAD_BATCH = ("22", "23", "44", "54", "P0")
_CONFIGURATION = ("28", "3D", "3F", "42", "0A")
_EXHAUSTED = ("53", "58", "XX")
_HEALED_SECONDS = 30.0
_EXHAUSTED_SECONDS = 5.0
_SAID = {
    "28P01": "the user name or password is refused",
    "28000": "the server lets this user in neither from here nor in this way (pg_hba.conf)",
    "3D000": "there is no such database",
    "3F000": "there is no such schema; fapilog makes tables, not schemas",
    "42501": "the user lacks a permission",
    "42P01": "the table is not there",
    "42703": "a column is missing",
    "42P10": "the table lacks a unique index over event_id and time",
    "53100": "the server's disk is full",
    "53300": "the server has too many connections",
    "57P01": "the server is shutting down",
    "57P02": "the server has crashed",
    "57P03": "the server is starting or shutting down",
    "57014": "the server took longer than the timeout",
    "25006": "the server only reads; it may be a standby",
    "23514": "a row meets a CHECK constraint, or has no partition",
    "54000": "a row is over a limit of PostgreSQL",
}


class WrongTableError(Exception):
    """The table cannot be used as it is; the text says why and holds no secrets."""


class ReadOnlyError(ConnectionError):
    """The server only reads: a standby, which may be promoted, or another server is the primary by now."""


def sqlstate(error: BaseException) -> str:
    """Return the five characters of a server's error, or nothing."""
    return str(getattr(error, "sqlstate", None) or "")


def keeps_connection(error: BaseException) -> bool:
    """Tell whether the connection can go on after an error: the statement failed, and nothing else."""
    return isinstance(error, asyncpg.PostgresError) and sqlstate(error)[:2] in _BAD_BATCH


def sink_error(error: BaseException, where: str, *, opening: bool) -> SinkError:
    """Return what to raise.

    Args:
        error: What asyncpg raised, or :class:`WrongTableError`.
        where: What may be shown of the address, and the table.
        opening: Whether nothing was sent yet: then a wrong configuration is said to be one.
    """
    code = sqlstate(error)
    kind = code[:2]
    text = f"{where}: {_said(error, code)}"
    if kind in _BAD_BATCH:
        return SinkError(text)
    if kind in _CONFIGURATION or isinstance(error, WrongTableError) or _is_configuration(error):
        return SinkError(text) if opening else SinkError(text, retryable=True, retry_after=_HEALED_SECONDS)
    return SinkError(text, retryable=True, retry_after=_EXHAUSTED_SECONDS if kind in _EXHAUSTED else None)


def _is_configuration(error: BaseException) -> bool:
    """Tell whether nothing but another configuration helps: of the address, or of TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return True
    return isinstance(error, asyncpg.ClientConfigurationError) or type(error) is ValueError


def _said(error: BaseException, code: str) -> str:
    if isinstance(error, WrongTableError):
        return str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return "the server's certificate is not trusted, or is another server's"
    if isinstance(error, ReadOnlyError):
        return _SAID["25006"]
    if isinstance(error, TimeoutError):
        return "no answer within the timeout"
    if type(error) is ConnectionError:
        # asyncpg raises no subclass where the server answers a request for TLS with no.
        return "the server speaks no TLS, or no PostgreSQL"
    if _is_configuration(error):
        return f"the address cannot be used ({type_name(error)})"
    if not code:
        return f"the connection failed ({type_name(error)})"
    constraint = getattr(error, "constraint_name", None)
    named = f", constraint {constraint}" if constraint else ""
    return f"{_SAID.get(code, 'PostgreSQL refuses')} ({type_name(error)}, SQLSTATE {code}{named})"
