"""The spool's store: records wait in files, in order, until they are acknowledged. Blocking; for one thread at a time.

    append ─► one write ─► own segments: 1 │ 2 │ 3 (active)          over the quota: whole segments go, oldest first
                                         │
    read ◄── directories of dead processes, oldest first, then the own one
      │
      ╰─► delivered ─► acknowledge ─► the cursor moves, segments below it are deleted

- A record whose ``append`` has returned is read again and again, by this process or a later one, until it is
  acknowledged; a kill at any moment costs none, and brings back at most what was read and not yet acknowledged.
- What is read is what was appended: damage is passed over and counted, nothing is invented, changed or reordered.
- A batch is appended as a whole or not at all; a full disk leaves no half of one behind.
- A segment of an earlier process is never written to; its directory is deleted once all in it is acknowledged.

``options`` checks the settings; ``segment`` reads one file; ``stream`` is one process's directory with its cursor;
``adoption`` opens those of dead processes; ``appender`` writes to the own one; ``store`` puts them together.
"""
