"""The table of all options, ``docs/options.md``: ``python -m fapilog.config.table > docs/options.md``.

Nothing in it is written by hand: names, types and defaults are those of the option classes, descriptions their
docstrings, variables those that ``Settings`` reads, and the method is the one that an option's own check names when it
is given something wrong.
"""

import inspect
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from types import NoneType
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from fapilog.config.environment import variable_of
from fapilog.config.options import IN_CODE_ONLY, Options, merge, missing
from fapilog.config.presets import preset
from fapilog.config.settings import Settings, parts_of_settings
from fapilog.errors import ConfigError

_ENTRY = re.compile(r"    (\w+(?:, \w+)*): (.*)")
_UNITS = {
    "bytes": "bytes, or such as `10 MB`",
    "seconds": "seconds, or such as `5s`",
    "timeout": "seconds, or such as `5s`",
    "interval": "seconds, or such as `1h`",
    "window": "seconds, or such as `5m`",
    "rate": "share, 0 to 1",
    "per_second": "events a second",
    "level": "level",
    "exempt": "level",
    "events": "events",
    "capacity": "events",
    "reserve": "events",
    "burst": "events",
    "keys": "keys",
    "failures": "failures",
    "in_flight": "batches",
    "batch": "times",
    "shed": "level",
    "files": "files",
    "age": "seconds, or such as `30d`",
    "keep": "seconds, or such as `30d`",
    "days": "days",
    "streams": "streams",
    "length": "entries",
    "text": "characters",
    "tails": "readers",
    "spans": "spans",
    "debug_route.keep": "bytes, or such as `10 MB`",
}
_ACCEPTED = ("x", 1, ({"to": "x"},))
EXAMPLES: Mapping[str, str] = {
    "http.url": "https://localhost",
    "webhook.url": "https://localhost",
    "webhook.secret": "a-secret-of-at-least-32-characters",
    "loki.url": "https://localhost",
    "postgres.dsn": "postgresql://localhost/logs",
    "redis.url": "redis://localhost",
}
"""Values for options that have no default and take not just any text."""


class Line(NamedTuple):
    """One option.

    Attributes:
        part: The part it belongs to; empty for none.
        option: Its name.
        unit: What its value counts, or which kind of value it is.
        default: As a variable would say it.
        variable: Its environment variable; empty if only code can say it.
        method: The builder's method and parameter.
        meaning: One sentence or more.
    """

    part: str
    option: str
    unit: str
    default: str
    variable: str
    method: str
    meaning: str


def lines() -> list[Line]:
    """Return every option, those without a part first."""
    parts = parts_of_settings()
    return [*_plain(parts), *(line for name, kind in parts.items() for line in _of_part(name, kind))]


def render() -> str:
    """Return the page."""
    found = lines()
    parts = parts_of_settings()
    pieces = [_HEAD, *_table(line for line in found if not line.part)]
    for name, kind in parts.items():
        pieces += [f"\n## {name}\n", f"{_plainly(inspect.cleandoc(kind.__doc__ or '').splitlines()[0])}{_off(name)}\n"]
        pieces += _table(line for line in found if line.part == name)
    return "\n".join(pieces) + "\n"


_HEAD = """\
# Options

Written by `make docs` from the option classes; [configuration.md](configuration.md) tells how they come together. In
code `Settings(queue={"capacity": 500})` takes the names of the first column. Lists are JSON, or texts between commas;
what may be absent is `none`. A part that is off until something is said is switched on by any of its variables, or by
its own: `FAPILOG_DEBUG_ROUTE=on`; `off` switches off what a preset has switched on.
"""


def _plain(parts: Mapping[str, type]) -> Iterator[Line]:
    hints = {name: info.annotation for name, info in Settings.model_fields.items()}
    told = _meanings(Options) | {
        "preset": "The values to begin with; see `list_presets()`. Default `minimal`, which is the same as none.",
    }
    for name, hint in hints.items():
        if name not in parts:
            variable = "" if name in IN_CODE_ONLY else variable_of(name)
            default = (
                "" if name == "sinks" else _shown(Settings.model_fields[name].get_default(call_default_factory=True))
            )
            unit = "object" if name.endswith(("_provider", "_allow")) else _unit(name, hint)
            yield Line("", name, unit, default, variable, _method(name), told.get(name, ""))


def _of_part(part: str, kind: type) -> Iterator[Line]:
    hints = get_type_hints(kind)
    told = _meanings(kind)
    needed = _needed(part, kind)
    for item in fields(kind):
        default = item.default if item.default_factory is MISSING else item.default_factory()
        shown = "needed" if default is MISSING else _shown(default)
        method = _where(lambda name=item.name: kind(**{**needed, name: _Wrong()}), f"with_{part}({item.name})")
        variable = variable_of(part, item.name)
        unit = _UNITS.get(f"{part}.{item.name}") or _unit(item.name, hints[item.name])
        yield Line(part, item.name, unit, shown, variable, method, told.get(item.name, ""))


class _Wrong:
    """A value that no option takes."""


def _needed(part: str, kind: type) -> dict[str, Any]:
    """Return values that a part accepts for the options it cannot do without."""
    values: dict[str, Any] = {}
    wanted = missing(kind, {}) or _complained(kind, values)
    for value in _ACCEPTED if wanted else ():
        values = {name: EXAMPLES.get(f"{part}.{name}", value) for name in wanted}
        if not _complained(kind, values):
            break
    return values


def _complained(kind: type, values: Mapping[str, Any]) -> list[str]:
    """Return the option that a part's check names for these values, if it refuses them."""
    try:
        kind(**values)
    except ConfigError as error:
        return re.findall(r"\(\*?(\w+)\)", error.where)
    return []


def _method(name: str) -> str:
    if name == "preset":
        return _where(lambda: preset(_Wrong()), "")
    return _where(lambda: merge(Options(), {name: _Wrong()}), f"with_{name}")


def _where(check: Any, otherwise: str) -> str:
    """Return the method that a check names for a wrong value."""
    try:
        check()
    except ConfigError as error:
        return error.where or otherwise
    return otherwise


def _meanings(kind: type) -> dict[str, str]:
    """Return what the ``Attributes`` of a docstring say."""
    _, _, section = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")
    found: dict[str, list[str]] = {}
    latest: list[str] = []
    for line in section.splitlines():
        entry = _ENTRY.match(line)
        if entry:
            latest = [entry[2]]
            found |= dict.fromkeys(entry[1].split(", "), latest)
        elif line.startswith("        "):
            latest.append(line.strip())
    return {name: _plainly(" ".join(text)) for name, text in found.items()}


def _plainly(text: str) -> str:
    """Return a docstring's words in Markdown."""
    return re.sub(r":\w+:`([^`]+)`", r"`\1`", text).replace("``", "`")


def _unit(name: str, hint: Any) -> str:
    kinds = {get_origin(kind) or kind for kind in (hint, *get_args(hint))} - {NoneType}
    words = [word for kind in (hint, *get_args(hint)) if get_origin(kind) is Literal for word in get_args(kind)]
    if words:
        return " or ".join(f"`{word}`" for word in words)
    if bool in kinds:
        return "`true` or `false`"
    if kinds & {tuple, list, frozenset, Sequence}:
        return "list"
    if kinds & {dict, Mapping}:
        return "JSON object"
    if kinds & {int, float}:
        return next((unit for end, unit in _UNITS.items() if name == end or name.endswith(f"_{end}")), "number")
    return "text"


def _shown(value: Any) -> str:
    if value is None or value in ((), {}, frozenset()):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{','.join(map(str, value)) if isinstance(value, list | tuple | frozenset) else value}`"


def _off(part: str) -> str:
    field = Settings.model_fields[part]
    return " Off until something is said." if field.default is None else ""


def _table(found: Iterator[Line]) -> list[str]:
    head = ["| option | unit | default | variable | builder | |", "|---|---|---|---|---|---|"]
    return [*head, *(_row(line) for line in found)]


def _row(line: Line) -> str:
    cells = (
        f"`{line.option}`",
        line.unit,
        line.default,
        f"`{line.variable}`" if line.variable else "",
        f"`{line.method}`",
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in (*cells, line.meaning)) + " |"


if __name__ == "__main__":
    sys.stdout.write(render())
