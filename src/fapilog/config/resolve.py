"""From what code says to options: the environment, or settings, below it, and a preset below that."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fapilog.config.environment import PREFIX
from fapilog.config.layers import Layer, layered, standard_level
from fapilog.config.options import Options
from fapilog.errors import ConfigError

if TYPE_CHECKING:
    from fapilog.config.settings import Settings


def resolve(
    changes: Mapping[str, Any],
    preset_name: str | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    settings: "Settings | None" = None,
    where: str = "with_preset(name)",
) -> Options:
    """Return options from a preset, the environment or settings, and changes made in code, later ones winning.

    Args:
        changes: What code said, by option name.
        preset_name: The preset that code asked for; None for that of the environment, or ``minimal``.
        environ: The environment.
        settings: Settings to take instead of the environment, which they have read themselves.
        where: Who named the preset, for the error.

    Raises:
        ConfigError: If any value cannot be used.
    """
    layers = standard_level(environ)
    if settings is None and any(name.upper().startswith(PREFIX) for name in environ):
        # Only here, because importing pydantic takes longer than everything else together.
        from fapilog.config.settings import Settings as Read  # noqa: PLC0415

        settings = Read()
    if settings is not None:
        layers.append(settings.layer())
    places = {} if preset_name is None else {"preset": where}
    return layered([*layers, Layer(changes, places, preset_name)])


def options_of(source: Any, method: str) -> Options:
    """Return the options of a preset's name, a ``Settings`` value or a builder.

    Args:
        source: One of them.
        method: Who was given it, for the error.

    Raises:
        ConfigError: If it is none of them, or cannot be used.
    """
    if callable(getattr(source, "options", None)):
        made: Options = source.options()
        return made
    if isinstance(source, str):
        return resolve({}, source, where=f"{method}(preset)")
    raise ConfigError.wrong(f"{method}()", source, "a preset's name, a Settings value or a builder")
