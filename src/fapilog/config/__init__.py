"""From what a user says to running parts: the one composition root.

    preset ─► LOG_LEVEL ─► variables or Settings ─► builder ─► Options ─► assemble.build_engine ─► Engine
              └──────────── layers.py, resolve.py ──────────┘  (a value)   pipeline.py: stages

Later layers win, option by option. ``options.py`` holds the values and is the list of parts; the options of the
built-in sinks are in ``parts.py``, all others stand beside the parts they are about. ``presets.py`` names some values,
``detect.py`` chooses one of those. ``environment.py`` reads variables, ``settings.py`` types and checks them with
pydantic, ``explaining.py`` turns its errors into ours. ``builder.py``, ``sinks.py`` and ``stages.py`` are the methods
of the builders, on ``base.py``. ``showing.py`` is the ``repr`` of it all, ``table.py`` writes ``docs/options.md``.
"""
