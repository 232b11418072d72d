"""Sizes and durations as people write them: ``"10 MB"``, ``"5s"``, or plain numbers.

``KB``, ``MB``, ``GB`` are powers of 1000 (SI), ``KiB``, ``MiB``, ``GiB`` powers of 1024 (IEC 80000-13).
"""

import math
import re
import sys

from fapilog.errors import ConfigError

_BYTES = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
}
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST_SECONDS = 3_153_600_000.0
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)", re.ASCII)


def parse_size(value: float | str, where: str) -> int:
    """Return a number of bytes, at least 1.

    Args:
        value: A number of bytes, or a string such as ``"10 MB"`` or ``"64KiB"``.
        where: The name of the method or variable it came from, for the error.

    Raises:
        ConfigError: If the value is not a positive size.
    """
    return math.ceil(_parse(value, _BYTES, where, 'a size above zero such as 4096, "512 KB" or "10 MB"'))


def parse_duration(value: float | str, where: str) -> float:
    """Return a number of seconds above zero.

    Args:
        value: A number of seconds, or a string such as ``"250ms"``, ``"5s"``, ``"10 min"``, ``"1h"``, ``"7d"``.
        where: The name of the method or variable it came from, for the error.

    Raises:
        ConfigError: If the value is not a positive duration, or is over a century: no timer of the operating system
            takes that.
    """
    allowed = 'a duration above zero, at most 36500 days, such as 0.5, "250ms", "5s", "10 min" or "1h"'
    seconds = _parse(value, _SECONDS, where, allowed)
    if seconds > _LONGEST_SECONDS:
        raise ConfigError.wrong(where, value, allowed)
    return seconds


def _parse(value: object, factors: dict[str, float] | dict[str, int], where: str, allowed: str) -> float:
    number = math.nan
    if isinstance(value, str):
        match = _QUANTITY.fullmatch(value.strip())
        if match and match[2].lower() in factors:
            number = float(match[1]) * factors[match[2].lower()]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        # Python integers have no end, floats do.
        number = float(value) if abs(value) <= sys.float_info.max else math.inf
    if not (math.isfinite(number) and number > 0):
        raise ConfigError.wrong(where, value, allowed)
    return number
