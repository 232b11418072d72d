"""A rule of the console's that makes requests louder: what was asked for, checked, and which requests it means."""

import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from fapilog import checks
from fapilog.asgi.debug.timers import Timer
from fapilog.asgi.headers import is_credential
from fapilog.asgi.loud import Grant
from fapilog.asgi.rules import Paths
from fapilog.asgi.types import Scope
from fapilog.clock import Clock
from fapilog.errors import ConfigError
from fapilog.event import timestamp
from fapilog.levels import LevelTable

LONGEST_SECONDS = 3_600
_MOST_CHARACTERS = 1_024
_MOST_OF_A_USER = 256
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_VALUE = re.compile(r"[\t -~\x80-\xff]*")
_CONDITIONS = ("path", "header", "user")
_KEYS = frozenset(("level", "ttl_seconds", *_CONDITIONS))
_NANOSECONDS = 1_000_000_000


class LouderRule(Grant):
    """One rule. All that can change is its end and how often it matched.

    Attributes:
        id: Eight hexadecimal digits.
        until_ns: When it ends, by the wall clock.
        path: Its path, exact or a prefix ended by ``*``; None for any.
        header: Its header, ``name`` or ``name: value``; None for any.
        close: Closes the floor that it has opened; None for none.
        timer: What ends it; None before it is set.
    """

    __slots__ = ("_header_name", "_header_value", "_paths", "close", "header", "id", "path", "timer", "until_ns")

    def __init__(self, level: int, name: str, seconds: float, conditions: Mapping[str, str], clock: Clock) -> None:
        """Take what has been checked."""
        super().__init__(level, name, clock.monotonic() + seconds, conditions.get("user"))
        self.id = secrets.token_hex(4)
        self.until_ns = clock.time_ns() + round(seconds * _NANOSECONDS)
        self.path = conditions.get("path")
        self.header = conditions.get("header")
        self._paths = None if self.path is None else Paths((self.path,))
        header, _, value = (self.header or "").partition(": ")
        self._header_name = header.encode("latin-1")
        self._header_value = value.encode("latin-1")
        self.close: Callable[[], None] | None = None
        self.timer: Timer | None = None

    @classmethod
    def of(cls, body: Mapping[str, Any], levels: LevelTable, clock: Clock) -> "LouderRule":
        """Return the rule that is asked for; it begins now.

        Args:
            body: ``level``, ``ttl_seconds`` and at least one condition; None is as good as nothing.
            levels: Which level names exist.
            clock: For its end.

        Raises:
            ConfigError: If it cannot be used.
        """
        for key in sorted(body.keys() - _KEYS):
            raise ConfigError.unknown("louder", key, _KEYS)
        given = body.get("level")
        if given is None:
            raise ConfigError.wrong("level", None, "a level, by name or number; null goes with the id of a rule")
        level = levels.number(given, "level")
        seconds = body.get("ttl_seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= LONGEST_SECONDS:
            raise ConfigError.wrong("ttl_seconds", seconds, f"seconds above zero, {LONGEST_SECONDS} at most")
        return cls(level, levels.name(level), float(seconds), _conditions(body), clock)

    def fits(self, scope: Scope) -> bool:
        """Tell whether a request that begins has the path and the header."""
        if self._paths is not None and not self._paths.hold(scope["path"], scope.get("root_path", "")):
            return False
        if not self._header_name:
            return True
        values = [value.strip() for name, value in scope["headers"] if name.lower() == self._header_name]
        return bool(values) and self._header_value in (b"", b", ".join(values))

    def conditions(self) -> dict[str, str | None]:
        """Return what has to hold; None for what does not matter."""
        return {"path": self.path, "header": self.header, "user": self.user}

    def describe(self, now: float) -> dict[str, Any]:
        """Return the rule as it is answered at some time of the monotonic clock."""
        return {
            "id": self.id,
            "level": self.name,
            **self.conditions(),
            "until": timestamp(self.until_ns),
            "seconds_left": round(max(0.0, self.deadline - now), 1),
            "matched": self.matched,
        }


def _conditions(body: Mapping[str, Any]) -> dict[str, str]:
    """Return the conditions of a rule, checked, in the one form that they are kept and shown in."""
    found = {}
    for key in _CONDITIONS:
        value = body.get(key)
        if value is None:
            continue
        if key == "user" and type(value) is int:
            value = str(value)
        text = checks.text(value, key).strip()
        if len(text) > (_MOST_OF_A_USER if key == "user" else _MOST_CHARACTERS):
            raise ConfigError.wrong(key, text, "a shorter text")
        found[key] = text
    if not found:
        raise ConfigError(f"A rule needs a condition: at least one of {', '.join(_CONDITIONS)}.").at("louder")
    if "path" in found:
        checks.paths((found["path"],), "path")
    if "header" in found:
        found["header"] = _header(found["header"])
    return found


def _header(text: str) -> str:
    """Return ``name`` or ``name: value``, the name in lower case."""
    name, _, value = text.partition(":")
    name, value = name.strip().lower(), value.strip()
    if not _NAME.fullmatch(name):
        raise ConfigError.wrong("header", name, 'a header such as "x-customer: 42", or its name alone')
    if is_credential(name):
        raise ConfigError.hidden("header", text, f"a header that holds no credentials, as {name} may")
    if not _VALUE.fullmatch(value):
        raise ConfigError.wrong("header", text, "a value that a header can have")
    return f"{name}: {value}" if value else name
