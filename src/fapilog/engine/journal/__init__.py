"""The journal: what a log call writes so that a killed process loses nothing that was submitted.

    caller ── append ──► mapped segments ◄── prepare, watermark, reuse ── tend ── worker
                             │                                              ▲
                         (the kernel keeps them when the process dies)      └─ claim … settle: every sink has it
                             ▼
    next start ── recover ── records above the watermark, oldest first

An append is a store into memory that is mapped from a file: no system call, no lock, and the interpreter lock is not
given away. ``options`` checks the settings, ``frontier`` works out how far everything is settled, ``files`` makes
mapped segments, ``store`` is the journal, ``recovery`` reads what dead processes have left; the format and the private
directories are those of ``fapilog.durable``. Linux only; elsewhere opening it says so, and the engine goes on without.
"""
