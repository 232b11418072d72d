"""The spool against a plain list, whatever is done in whatever order."""

import re
import shutil
import tempfile
from pathlib import Path

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fapilog.delivery.spool.store import SpoolFullError
from tests.delivery.spool.spools import crash, segments, spool_in

QUOTA = 100_000


class SpoolMachine(RuleBasedStateMachine):
    """``waiting`` is what should be in the spool: (record, appended by this opening)."""

    @initialize(full=st.sampled_from(["drop_oldest", "refuse"]), segment=st.sampled_from([4096, 10_000, 8_000_000]))
    def begin(self, full, segment):
        self.place = Path(tempfile.mkdtemp())
        self.full = full
        self.segment = segment
        self.number = 0
        self.waiting: list[tuple[bytes, bool]] = []
        self.given: list[tuple[bytes, object]] = []
        self.store = spool_in(self.place, full=full, segment_bytes=segment, max_bytes=QUOTA, sync="never")

    def teardown(self):
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.place)

    @rule(sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=20))
    def append(self, sizes):
        batch = []
        for size in sizes:
            self.number += 1
            batch.append(b"%08d" % self.number + b"x" * size)
        try:
            appended = self.store.append(batch)
        except SpoolFullError:
            # Either it may not drop, or all there is, is being delivered or has been dropped.
            assert self.full == "refuse"
            return
        given = sum(len(records) for records, _ in self.given)
        kept = self.waiting[:given]
        rest = self.waiting[given:]
        removed = appended.removed + appended.recovered_removed
        if removed:
            assert self.full == "drop_oldest"
            left = self._left()
            gone = [item for item in rest if item[0] not in left]
            assert len(gone) == removed
            assert sum(item[1] for item in gone) == appended.removed
            assert [item for item in rest if item[0] in left] == rest[removed:], "the oldest go"
            rest = rest[removed:]
            # What was given out is its reader's: it is no loss, and not in the files any more.
            kept = [item for item in kept if item[0] in left]
            self.given = [(records, token) for records, token in self.given if set(records) <= left]
        self.waiting = kept + rest + [(record, True) for record in batch]

    def _left(self) -> set[bytes]:
        """Return what the files hold, by the numbers that records begin with."""
        held = {number for path in segments(self.place) for number in re.findall(rb"(\d{8})x", path.read_bytes())}
        return {record for record, _ in self.waiting if record[:8] in held}

    @rule(most=st.integers(1, 30), limit=st.integers(1, 20_000))
    def read(self, most, limit):
        at = sum(len(records) for records, _ in self.given)
        chunk = self.store.read(most, limit)
        rest = self.waiting[at:]
        if chunk is None:
            assert not rest
            return
        expected = [record for record, _ in rest[: len(chunk.records)]]
        assert chunk.records == expected
        assert len(chunk.records) <= most
        assert len(chunk.records) == 1 or sum(map(len, chunk.records)) <= limit
        assert {own for _, own in rest[: len(chunk.records)]} == {not chunk.recovered}
        self.given.append((chunk.records, chunk.token))

    @precondition(lambda self: self.given)
    @rule()
    def acknowledge_first(self):
        records, token = self.given.pop(0)
        self.store.acknowledge(token)
        del self.waiting[: len(records)]

    @precondition(lambda self: self.given)
    @rule()
    def acknowledge_all(self):
        self.store.acknowledge(self.given[-1][1])
        del self.waiting[: sum(len(records) for records, _ in self.given)]
        self.given.clear()

    @rule(clean=st.booleans())
    def reopen(self, clean):
        if clean:
            self.store.close()
        else:
            crash(self.store)
        self.given.clear()
        self.waiting = [(record, False) for record, _ in self.waiting]
        self.store.open()

    @invariant()
    def figures_are_true(self):
        if hasattr(self, "store"):
            figures = self.store.figures
            assert figures["pending_events"] == len(self.waiting)
            assert figures["failures"] == 0
            assert sum(path.stat().st_size for path in segments(self.place)) <= QUOTA
            assert figures["segments"] == len(segments(self.place))


SpoolMachine.TestCase.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None, phases=[Phase.explicit, Phase.generate]
)
TestSpool = SpoolMachine.TestCase
