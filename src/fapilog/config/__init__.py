"""From what a user says to running parts: the one composition root.

    preset ─► environment ─► builder or Settings ─► Options (values) ─► assemble.build_engine ─► Engine

Later layers win. ``options.py`` holds the values, ``presets.py`` names some, ``settings.py`` reads ``FAPILOG_…``,
``builder.py`` fills them, ``assemble.py`` alone makes parts of them.
"""
