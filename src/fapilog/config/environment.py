"""``FAPILOG_…`` variables as nested values: which there are, what their text means, and which one said what.

    FAPILOG_LEVEL=debug                     {"level": "debug"}
    FAPILOG_QUEUE__CAPACITY=500             {"queue": {"capacity": "500"}}
    FAPILOG_ASGI__SKIP_PATHS=/health,/live  {"asgi": {"skip_paths": ["/health", "/live"]}}
    FAPILOG_QUEUE={"capacity": 500}         {"queue": {"capacity": 500}}
    FAPILOG_FIRST_SEEN=on                   {"first_seen": {}}

Numbers stay text here: the types of the options decide what they mean.
"""

import json
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from fapilog.config.options import check_names
from fapilog.diagnostics import attempt
from fapilog.errors import ConfigError

PREFIX = "FAPILOG_"
BETWEEN = "__"
_ON = frozenset(("on", "true", "yes", "1"))
_OFF = frozenset(("off", "false", "no", "0", "none", "null"))
_NONE = frozenset(("none", "null"))
_LISTS = frozenset((tuple, list, set, frozenset, Sequence, MutableSequence, AbstractSet))
_NEAR = 0.85
_ONLY_IN_CODE = {
    f"FAPILOG_{kind}": f"nothing; plug-ins are named in FAPILOG_PLUGINS__{kind}"
    for kind in ("SINKS", "FILTERS", "ENRICHERS", "REDACTORS", "PROCESSORS")
} | {
    f"FAPILOG_{kind}": "nothing; an object can only be given in code"
    for kind in ("TRACER_PROVIDER", "METER_PROVIDER", "DEBUG_ALLOW", "DEBUG_ROUTE__ALLOW")
}
"""What looks like an option and only code can give, and what to say instead."""


@dataclass(frozen=True)
class Said:
    """What a source says.

    Attributes:
        values: By option name; those of a part as a mapping of their own.
        places: Which variable said it, by ``"level"`` or ``"queue.capacity"``.
    """

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)


def read(environ: Mapping[str, str], hints: Mapping[str, Any], parts: Mapping[str, type]) -> Said:
    """Return what the variables say.

    Args:
        environ: The environment.
        hints: The types of the options that have no options of their own.
        parts: The classes of those that have.

    Raises:
        ConfigError: If a variable is misspelt, or its text is not of the form that its option needs.
    """
    known = _known(hints, parts)
    said = Said()
    # Parts as a whole come first, so that the variable of one option has the last word.
    for variable in sorted(environ, key=lambda name: (name.count(BETWEEN), name)):
        name = variable.upper()
        if not name.startswith(PREFIX):
            continue
        if name in _ONLY_IN_CODE:
            raise ConfigError.hidden(variable, environ[variable], _ONLY_IN_CODE[name])
        if name not in known:
            _check_spelling(variable, known, parts)
            continue
        top, option = known[name]
        text = environ[variable]
        if option is not None:
            _say_option(said, variable, top, option, decode(text, get_type_hints(parts[top])[option], variable))
        elif top in parts:
            value = _whole(text, variable)
            check_names(parts[top], value or {}, variable)
            said.values[top] = value
            said.places[top] = variable
        else:
            said.values[top] = decode(text, hints[top], variable)
            said.places[top] = variable
    return said


def variable_of(name: str, option: str | None = None) -> str:
    """Return the variable of an option, or of an option of a part."""
    return (PREFIX + name + (BETWEEN + option if option else "")).upper()


def decode(text: str, hint: Any, variable: str) -> Any:
    """Return what a variable's text says for an option of a type: None, a list, a mapping, or the text itself.

    Raises:
        ConfigError: If a list or mapping was begun and is malformed; what was given is not shown.
    """
    members = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    kinds = {get_origin(kind) or kind for kind in members}
    # For a text that may be absent "none" is a text like any other.
    if NoneType in kinds and (str not in kinds or kinds & {int, float}) and text.strip().lower() in _NONE:
        return None
    if str in kinds and kinds & (_LISTS | {Mapping}):
        # Such an option reads text by itself, but for a list in JSON, which is a list for every option.
        found = _texts(text) if kinds & _LISTS else None
        return text if found is None else found
    if kinds & {Mapping, dict, MutableMapping}:
        return _json(text, dict, variable, 'a JSON object such as {"region": "eu"}')
    if kinds & _LISTS:
        if "Pattern" in str(hint):
            # A regular expression may have commas in it: what is no JSON list of them is one as a whole.
            found = _texts(text)
            return [text] if found is None else found
        if text.lstrip().startswith("["):
            return _json(text, list, variable, 'a list: "a,b" or ["a", "b"]')
        return [item for part in text.split(",") if (item := part.strip())]
    return text


def _known(hints: Mapping[str, Any], parts: Mapping[str, type]) -> dict[str, tuple[str, str | None]]:
    known: dict[str, tuple[str, str | None]] = {variable_of(name): (name, None) for name in (*hints, *parts)}
    for part, kind in parts.items():
        known |= {variable_of(part, option.name): (part, option.name) for option in fields(kind)}
    return known


def _check_spelling(variable: str, known: Mapping[str, Any], parts: Mapping[str, type]) -> None:
    """Refuse a variable that is nearly one of ours; others that begin like ours may be somebody else's.

    Raises:
        ConfigError: If it is; it lists the variables of the part, or those without one.
    """
    name = variable.upper()
    near = get_close_matches(name, known, n=1, cutoff=_NEAR)
    part = next((part for part in parts if name.startswith(variable_of(part) + BETWEEN)), None)
    if near or part is not None:
        part = part or known[near[0]][0]
        siblings = [other for other, (top, option) in known.items() if option and top == part]
        plain = [other for other, (_, option) in known.items() if not option]
        raise ConfigError.unknown("environment", variable, {*near, *(siblings or plain)})


def _say_option(said: Said, variable: str, part: str, option: str, value: Any) -> None:
    if not isinstance(said.values.get(part), dict):
        said.values[part] = {}
    said.values[part][option] = value
    said.places[f"{part}.{option}"] = variable


def _whole(text: str, variable: str) -> dict[str, Any] | None:
    """Return the options that the variable of a whole part gives: a JSON object, ``on``, or ``off`` (None)."""
    word = text.strip().lower()
    if word in _ON | _OFF:
        return {} if word in _ON else None
    found: dict[str, Any] = _json(text, dict, variable, "a JSON object of its options, on, or off")
    return found


def _texts(text: str) -> list[str] | None:
    """Return the texts of a JSON list; None if it is none, or not only of texts."""
    found, _ = attempt(json.loads, text)
    return found if isinstance(found, list) and all(isinstance(item, str) for item in found) else None


def _json(text: str, kind: type, variable: str, allowed: str) -> Any:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, kind):
        # What was given may hold secrets, and a JSON error would quote it.
        raise ConfigError.hidden(variable, text, allowed)
    return found
