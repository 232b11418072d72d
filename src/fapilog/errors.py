"""Every exception fapilog raises on purpose.

    FapilogError
    ├── ConfigError (also ValueError)   a wrong value, found when something is built
    └── SinkError                       a sink could not take a batch
        ├── CircuitOpenError            its circuit breaker is open: it was not even asked
        └── RejectedError               the receiver will never take these events

Log calls raise none of these: what goes wrong after the build is counted and
reported by :mod:`fapilog.diagnostics`.
"""

from collections.abc import Iterable, Mapping
from reprlib import Repr

_SHOWN = 100
_REPR = Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = _SHOWN


class FapilogError(Exception):
    """The root of all exceptions that fapilog raises."""


class ConfigError(FapilogError, ValueError):
    """A setting, preset, level, size or duration that cannot be used.

    The message says where the value came from, what was given, what is allowed, and the nearest valid
    spelling where there is one.

    Attributes:
        where: The method or variable it came from; empty if the message does not tell the two apart.
        problem: The rest of the message.
    """

    where = ""
    problem = ""

    def at(self, where: str) -> "ConfigError":
        """Return the same error about a value that came from elsewhere."""
        return self._of(where, self.problem or str(self))

    @classmethod
    def _of(cls, where: str, problem: str) -> "ConfigError":
        error = cls(f"{where}: {problem}")
        error.where, error.problem = where, problem
        return error

    @classmethod
    def unknown(cls, where: str, given: object, allowed: Iterable[str]) -> "ConfigError":
        """Build the error for a name that is not in a closed set of names."""
        from difflib import get_close_matches  # noqa: PLC0415 - only a wrong name needs it

        names = {name.lower(): name for name in sorted(allowed)}
        word = given[:_SHOWN].strip().lower() if isinstance(given, str) else ""
        begun = [name for name in names if len(word) > 1 and name.startswith(word)]
        close = get_close_matches(word, names, n=1) or (begun if len(begun) == 1 else [])
        hint = f" Did you mean {names[close[0]]!r}?" if close else ""
        return cls._of(where, f"{_shown(given)} is not known; allowed: {', '.join(names.values())}.{hint}")

    @classmethod
    def wrong(cls, where: str, given: object, allowed: str) -> "ConfigError":
        """Build the error for a value outside its range or of the wrong form."""
        return cls._of(where, f"{_shown(given)} cannot be used; allowed: {allowed}.")

    @classmethod
    def hidden(cls, where: str, given: object, allowed: str) -> "ConfigError":
        """Build the error for a value that may be a secret: of texts and objects only the type is told."""
        plain = given is None or isinstance(given, bool | int | float)
        shown = _shown(given) if plain else f"a value of type {type(given).__name__}"
        return cls._of(where, f"{shown} cannot be used; allowed: {allowed}.")


class SinkError(FapilogError):
    """Raised by a sink that could not deliver a batch, or a part of it.

    Args:
        message: What happened, without secrets; it is shown in diagnostics.
        retryable: Whether the same batch may succeed later. Default False.
        retry_after: Seconds the receiver asked to wait, if it did.
        failed_indexes: The positions in the batch that were not taken, where the rest was; None
            means that nothing was taken.
        rejected: Of those, the positions of events that the receiver will never take, with the reason of each; they
            are not sent again even if the others are. An error that is not retryable rejects all that it names; if it
            names none, the batch is split to find out which events are to blame.

    Attributes:
        reason: Under which name the events are counted as failed: the class's.
    """

    def __init__(
        self,
        message: str,
        *,
        retryable: bool = False,
        retry_after: float | None = None,
        failed_indexes: Iterable[int] | None = None,
        rejected: Mapping[int, str] | None = None,
    ) -> None:
        """Keep what the delivery wrappers decide on."""
        super().__init__(message)
        self.retryable = retryable
        self.retry_after = retry_after
        self.rejected = dict(rejected or {})
        self.reason = type(self).__name__
        named = None if failed_indexes is None else frozenset(failed_indexes)
        self.failed_indexes = named if named is None else named | self.rejected.keys()


class CircuitOpenError(SinkError):
    """Raised instead of a write while a circuit breaker is open; retryable when it may be tried again."""


class RejectedError(SinkError):
    """Raised for events that a receiver refused for good, after they were parted from the others."""


def _shown(given: object) -> str:
    """Return the ``repr`` of what was given, short, also if it raises or is a number of thousands of digits."""
    return f"<integer of {given.bit_length()} bits>" if type(given) is int and abs(given) >> 1000 else _REPR.repr(given)
