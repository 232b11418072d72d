"""What pydantic refused, in the words of the option's own check, with the variable or setting it is about.

Pydantic's own words are the last resort; then of what was given only the type is told, because nobody here knows
whether it is a secret.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from fapilog.config import environment
from fapilog.config.environment import Said
from fapilog.config.options import Options, merge, missing
from fapilog.errors import ConfigError

_OPTION = re.compile(r"\(\*{0,2}(\w+)\)")
_ALLOWED = {"sequence_str": "a list of texts, not one text"}
"""What is allowed where pydantic says what is not, by the type of its error."""


def explain(error: ValidationError, said: Said, parts: Mapping[str, type]) -> ConfigError:
    """Return the error to raise instead of pydantic's.

    Args:
        error: What pydantic raised for ``said.values``.
        said: What was said, and where.
        parts: The settings that have options of their own.
    """
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])
    given = said.values.get(name)
    place = said.places.get(name, f"Settings({name})")
    if name in parts and isinstance(given, Mapping):
        return _explain_part(name, parts[name], given, said)
    if name in parts:
        return ConfigError.hidden(place, given, f"options by name, or {parts[name].__name__}")
    return _told(lambda: merge(Options(), {name: given}), place, given, first)


def _explain_part(name: str, kind: type, given: Mapping[str, Any], said: Said) -> ConfigError:
    whole = said.places.get(name, name)
    places = {option: said.places.get(f"{name}.{option}", f"{whole}: {option}") for option in given}
    for option in missing(kind, given):
        place = _place(name, option, places)
        others = ", ".join(dict.fromkeys(places.values()))
        return ConfigError(f"is not set, and {others or whole} cannot do without it.").at(place)
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    whole_refusal = _refusal(adapter, given) or {}
    cause = whole_refusal.get("ctx", {}).get("error")
    named = _OPTION.search(cause.where) if isinstance(cause, ConfigError) else None
    if named and named[1] in {item.name for item in fields(kind)}:
        own: ConfigError = cause.at(places.get(named[1]) or _place(name, named[1], places))
        return own
    needed = [option for option in given if option in missing(kind, {})]
    first = str(next(iter(whole_refusal.get("loc", ())), ""))
    if first in given:
        # pydantic names the option that is not of its type, and has not come to the option's own check.
        alone = {key: given[key] for key in (*needed, first)}
        return _told(lambda: kind(**alone), places[first], given[first], whole_refusal, first)
    for option in dict.fromkeys((*needed, *given)):
        alone = {key: given[key] for key in (*needed, option)}
        wrong = _refusal(adapter, alone)
        if wrong is not None:
            return _told(lambda values=alone: kind(**values), places[option], given[option], wrong)  # type: ignore[misc]
    return _told(lambda: kind(**given), " with ".join(dict.fromkeys(places.values())), dict(given), whole_refusal)


def _place(part: str, option: str, places: Mapping[str, str]) -> str:
    """Return where an option that nobody has said would have to be said: where its siblings are."""
    in_code = any("(" in place for place in places.values())
    return f"Settings({part}.{option})" if in_code else environment.variable_of(part, option)


def _refusal(adapter: TypeAdapter[Any], values: Mapping[str, Any]) -> Mapping[str, Any] | None:
    try:
        adapter.validate_python(dict(values))
    except ValidationError as error:
        return error.errors(include_url=False)[0]
    return None


def _told(
    check: Callable[[], object], place: str, given: Any, refusal: Mapping[str, Any], option: str | None = None
) -> ConfigError:
    """Return what the option's own check says, or pydantic's message without what was given.

    If ``option`` is given, a check that says something about another one is not listened to.
    """
    cause = refusal.get("ctx", {}).get("error")
    if isinstance(cause, ConfigError):
        return cause.at(place)
    try:
        check()
    except ConfigError as error:
        named = _OPTION.search(error.where)
        if option is None or (named and named[1] == option):
            return error.at(place)
    said = str(refusal.get("msg", "what the table of options says"))
    return ConfigError.hidden(place, given, _ALLOWED.get(str(refusal.get("type")), said))
