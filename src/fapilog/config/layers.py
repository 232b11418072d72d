"""Layers of values, later ones winning: a preset, variables or ``Settings``, what code says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fapilog.config.options import Options, merge, sink_name
from fapilog.config.presets import preset
from fapilog.errors import ConfigError


@dataclass(frozen=True)
class Layer:
    """Some values, and where they came from.

    Attributes:
        values: By option name, as :func:`fapilog.config.options.merge` takes them.
        places: The variable or setting that said it, by ``"level"`` or ``"queue.capacity"``; for errors. What is not
            in it came from a method, which its own check names.
        preset: The preset that the source names.
    """

    values: Mapping[str, Any]
    places: Mapping[str, str] = field(default_factory=dict)
    preset: str | None = None

    def place(self, name: str) -> str | None:
        """Return where an option came from; of a part the first of its options that has a place."""
        inside = (place for key, place in self.places.items() if key.startswith(f"{name}."))
        return self.places.get(name) or next(inside, None)


def standard_level(environ: Mapping[str, str]) -> list[Layer]:
    """Return the layer of ``LOG_LEVEL``, which has the least say of all variables."""
    level = environ.get("LOG_LEVEL")
    return [Layer({"level": level}, {"level": "LOG_LEVEL"})] if level else []


def layered(layers: Iterable[Layer]) -> Options:
    """Return the options that the layers give, on top of the preset that the last of them names.

    Sinks come on top of a named preset's, and one of the same name takes that one's place; without a preset they
    replace what there is.

    Raises:
        ConfigError: If a value cannot be used; it names the variable or setting.
    """
    layers = list(layers)
    named = [layer for layer in layers if layer.preset is not None]
    options = Options()
    if named:
        options = preset(named[-1].preset, named[-1].places.get("preset", "with_preset(name)"))
    sources: dict[str, str] = {}
    for layer in layers:
        for name, value in layer.values.items():
            changed = _on_top(options, value) if name == "sinks" and named else value
            options = _merged(options, layer, name, changed)
        kept = {key: place for key, place in sources.items() if not _is_replaced(key, layer)}
        sources = {**kept, **layer.places}
    return replace(options, sources=sources)


def _merged(options: Options, layer: Layer, name: str, value: Any) -> Options:
    try:
        return merge(options, {name: value})
    except ConfigError as error:
        place = layer.place(name)
        if place is None:
            raise
        raise error.at(place) from None


def _on_top(options: Options, sinks: Iterable[Any]) -> tuple[Any, ...]:
    added = tuple(sinks)
    names = {sink_name(sink) for sink in added}
    return (*(sink for sink in options.sinks if sink_name(sink) not in names), *added)


def _is_replaced(key: str, layer: Layer) -> bool:
    """Tell whether a layer has its own say in what ``key`` (``"level"``, ``"queue.capacity"``) came from."""
    name, _, option = key.partition(".")
    if name not in layer.values:
        return False
    value = layer.values[name]
    if name == "sinks":
        return option in {sink_name(sink) for sink in value}
    return not isinstance(value, Mapping) or option in value
