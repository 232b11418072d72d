"""The quick way to copy what is plain already: through JSON and back, in two calls of a library written for that.

It gives what :func:`fapilog.coerce.to_plain_fields` gives, or None where that cannot be told at a glance: objects of
other kinds, NaN, sizes near the bounds. A property test holds the two together. A module of its own because it needs
orjson, which is not loaded before the first event.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from fapilog.coerce import MAX_DEPTH, MAX_ITEMS, MAX_KEY

_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
_MOST_BYTES = 32_768
_BYTES_OF_A_VALUE = 64
_dumps = orjson.dumps
_loads = orjson.loads


def copy_fields(fields: Mapping[str, Any]) -> tuple[dict[str, Any], int] | None:
    """Return a copy of fields that hold only plain values, and roughly how many bytes it takes; None for all others.

    In one step of the interpreter: another thread may change a container before or after it, not meanwhile.
    """
    try:
        line = _dumps(fields, None, _OPTIONS)
    except TypeError:
        return None
    values = line.count(b",") + 1
    # Containers begin with one of these, keys end with the other; what stands in texts makes it look like more.
    if (
        len(line) > _MOST_BYTES
        or values > MAX_ITEMS
        or line.count(b"{") + line.count(b"[") > MAX_DEPTH
        or max(map(len, line.split(b'":'))) > MAX_KEY
    ):
        return None
    copy: dict[str, Any] = _loads(line)
    # NaN and infinities have become null, which no longer equals them, as other kinds do not equal their texts.
    if b"null" in line and copy != fields:
        return None
    return copy, len(line) + _BYTES_OF_A_VALUE * values
