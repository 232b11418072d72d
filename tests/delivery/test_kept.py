"""What a spool keeps: whatever the order of the news, counters grow and each event counts once."""

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog.delivery.accounts import DELIVERED, DROPPED, FAILED, SPOOLED, Accounts, SinkAccount
from fapilog.delivery.slices import Slice

REASONS = ("spool_full", "RejectedError", "spool_damaged")
LEVELS = st.sampled_from([10, 20, 30, 40])


class Model:
    """Accounts of some sinks, the first ones with a spool; slices on their way to them."""

    def __init__(self, sinks: int, spools: int) -> None:
        self.books = Accounts()
        self.rows = [self.books.sinks.setdefault(f"sink-{number}", SinkAccount()) for number in range(sinks)]
        self.spools = spools
        self.submitted = 0
        self.open: list[tuple[int, Slice]] = []
        self.appended: list[tuple[int, Slice]] = []
        self.before: dict[Any, int] = {}

    def submit(self, levels: list[int]) -> None:
        piece = Slice(None, [{} for _ in levels], levels, lambda _: [])
        self.submitted += len(levels)
        self.books.open_slice(piece, len(levels), Counter(), self.rows)
        self.open += [(sink, piece) for sink in range(len(self.rows))]

    def append(self, sink: int, piece: Slice) -> None:
        """Tell of a batch on disk, which its channel has not settled yet."""
        self.open.remove((sink, piece))
        self.appended.append((sink, piece))
        self.books.keep(self.rows[sink], SPOOLED, len(piece), "")

    def look(self) -> dict[str, Any]:
        """Read everything, and check what has to hold at any time."""
        figures = self.books.figures(self.submitted, Counter())
        by_level = self.books.delivered_levels()
        assert sum(by_level.values()) == figures["delivered"]
        grown: dict[Any, int] = {("level", level): count for level, count in by_level.items()}
        for name, row in [("", figures), *figures["sinks"].items()]:
            lost = sum(row["dropped"].values()) + sum(row["failed"].values())
            assert row["delivered"] + lost + row["in_flight"] == self.submitted
            assert 0 <= row["spooled"] <= row["in_flight"]
            grown[name, "delivered"] = row["delivered"]
            for outcome in ("dropped", "failed"):
                grown |= {(name, outcome, reason): count for reason, count in row[outcome].items()}
        for key, count in self.before.items():
            assert grown.get(key, 0) >= count, key
        self.before = grown
        return figures


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 3), st.integers(1, 2), st.data())
def test_counters_only_grow_and_the_identity_holds_at_every_step(sinks: int, spools: int, data: st.DataObject) -> None:
    """Several sinks, two of them with a spool, whose news come before and after the batch is settled, at any time."""
    model = Model(sinks, min(sinks, spools))
    for _ in range(data.draw(st.integers(1, 30))):
        step = data.draw(st.sampled_from(["submit", "append", "settle", "acknowledge", "acknowledge"]))
        if step == "submit":
            model.submit(data.draw(st.lists(LEVELS, min_size=1, max_size=6)))
        elif step == "append" and (own := [it for it in model.open if it[0] < model.spools]):
            model.append(*data.draw(st.sampled_from(own)))
        elif step == "settle" and (ready := [*model.appended, *(it for it in model.open if it[0] >= model.spools)]):
            sink, piece = data.draw(st.sampled_from(ready))
            kept = (sink, piece) in model.appended
            (model.appended if kept else model.open).remove((sink, piece))
            outcome = DELIVERED if kept else data.draw(st.sampled_from([DELIVERED, DELIVERED, DROPPED, FAILED]))
            model.books.settle(piece, range(len(piece)), model.rows[sink], outcome, "why")
        elif step == "acknowledge":
            row = model.rows[data.draw(st.integers(0, model.spools - 1))]
            outcome = data.draw(st.sampled_from([DELIVERED, DELIVERED, DROPPED, FAILED]))
            count = data.draw(st.integers(0, row.spooled))
            model.books.keep(row, outcome, count, data.draw(st.sampled_from(REASONS)))
        if data.draw(st.booleans()):
            model.look()
    # At last everything settles and arrives.
    for sink, piece in [it for it in model.open if it[0] < model.spools]:
        model.append(sink, piece)
    for sink, piece in [*model.open, *model.appended]:
        model.books.settle(piece, range(len(piece)), model.rows[sink], DELIVERED)
    for row in model.rows:
        model.books.keep(row, DELIVERED, row.spooled, "")
    figures = model.look()
    assert (figures["in_flight"], figures["spooled"]) == (0, 0)


def test_an_event_that_is_told_of_before_its_batch_is_settled_takes_nothing_back() -> None:
    """Else a collector would see a counter start anew, and a rate out of all proportion."""
    model = Model(1, 1)
    for _ in range(2):
        model.submit([20] * 10)
        sink, piece = model.open[0]
        model.append(sink, piece)
        model.look()
        model.books.settle(piece, range(10), model.rows[0], DELIVERED)
        model.look()
        model.books.keep(model.rows[0], DELIVERED, 10, "")
        model.look()

    assert model.look()["delivered"] == 20


def test_reasons_stay_when_another_sink_becomes_the_worst() -> None:
    """Of two spools the one that has lost most counts for the engine; what the other lost first is not forgotten."""
    model = Model(2, 2)
    model.submit([20] * 10)
    for sink, piece in list(model.open):
        model.append(sink, piece)
        model.books.settle(piece, range(10), model.rows[sink], DELIVERED)
    model.books.keep(model.rows[0], DROPPED, 3, "spool_full")
    assert model.look()["dropped"] == {"spool_full": 3}
    model.books.keep(model.rows[1], FAILED, 4, "RejectedError")
    figures = model.look()

    assert (figures["dropped"], figures["failed"]) == ({"spool_full": 3}, {"RejectedError": 1})
    assert figures["sinks"]["sink-1"]["failed"] == {"RejectedError": 4}


def test_levels_share_what_has_arrived_while_some_wait_and_are_exact_afterwards() -> None:
    """Nobody knows which of them the receiver has taken; in the end all of them."""
    model = Model(1, 1)
    model.submit([20] * 8 + [40] * 2)
    model.append(*model.open[0])
    sink, piece = model.appended[0]
    model.books.settle(piece, range(10), model.rows[sink], DELIVERED)
    model.books.keep(model.rows[0], DELIVERED, 5, "")
    model.look()
    assert model.books.delivered_levels() == {20: 4, 40: 1}
    model.books.keep(model.rows[0], DELIVERED, 5, "")
    model.look()

    assert model.books.delivered_levels() == {20: 8, 40: 2}
