"""The books: an event counts once for the engine, whatever its sinks do, in whatever pieces they do it."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from fapilog.delivery.accounts import DELIVERED, DROPPED, FAILED, SPOOLED, Accounts, SinkAccount
from fapilog.delivery.slices import Slice

outcomes = st.sampled_from([DELIVERED, DROPPED, FAILED])


@given(st.integers(1, 4), st.lists(outcomes, min_size=1, max_size=12), st.data())
def test_an_event_counts_once_and_by_its_worst_outcome(sinks: int, first: list[str], data: st.DataObject) -> None:
    """Failed, then dropped, then delivered; settled event by event or as a whole, in any order of sinks."""
    count = len(first)
    books = Accounts()
    accounts = [SinkAccount() for _ in range(sinks)]
    piece = Slice(None, [{} for _ in range(count)], [20] * count, lambda _: [])
    books.open_slice(piece, count, books.filtered, accounts)
    fates = [first] + [data.draw(st.lists(outcomes, min_size=count, max_size=count)) for _ in range(sinks - 1)]
    steps = []
    for account, fate in zip(accounts, fates, strict=True):
        if len(set(fate)) == 1:
            steps.append((account, list(range(count)), fate[0]))
        else:
            cut = data.draw(st.integers(1, count))
            for part in (range(cut), range(cut, count)):
                for outcome in set(fate):
                    indexes = [index for index in part if fate[index] == outcome]
                    steps += [(account, indexes, outcome)] if indexes else []
    for account, indexes, outcome in data.draw(st.permutations(steps)):
        books.settle(piece, indexes, account, outcome, "why")
        settled = books.delivered + books.dropped.total() + books.failed.total()
        assert settled <= count
    worst = [
        FAILED if FAILED in column else DROPPED if DROPPED in column else DELIVERED
        for column in zip(*fates, strict=True)
    ]
    assert books.delivered == worst.count(DELIVERED)
    assert books.dropped.total() == worst.count(DROPPED)
    assert books.failed.total() == worst.count(FAILED)
    for account, fate in zip(accounts, fates, strict=True):
        assert (account.delivered, account.offered, account.settled) == (fate.count(DELIVERED), count, count)


def test_what_waits_on_disk_is_in_flight_until_it_is_delivered() -> None:
    """Spooled events are neither delivered nor lost; the identity holds at every step, for the engine and the sink."""
    accounts = Accounts()
    account = accounts.sinks.setdefault("remote", SinkAccount())
    piece = Slice(None, [{}] * 10, [20] * 10, lambda _: [])
    accounts.open_slice(piece, 10, Counter(), [account])

    def row() -> tuple[int, ...]:
        figures = accounts.figures(10, Counter())
        sink = figures["sinks"]["remote"]
        for it in (figures, sink):
            lost = sum(it["dropped"].values()) + sum(it["failed"].values())
            assert it["delivered"] + lost + it["in_flight"] == 10
            assert min(it["delivered"], it["in_flight"], it["spooled"]) >= 0
        return sink["delivered"], sink["spooled"], figures["delivered"], figures["in_flight"]

    accounts.keep(account, SPOOLED, 10, "")
    assert row() == (0, 0, 0, 10)
    accounts.settle(piece, range(10), account, DELIVERED)
    assert row() == (0, 10, 0, 10)
    accounts.keep(account, DELIVERED, 4, "")
    assert row() == (4, 6, 4, 6)
    accounts.keep(account, DROPPED, 3, "spool_full")
    assert row() == (4, 3, 4, 3)
    accounts.keep(account, FAILED, 1, "RejectedError")
    accounts.keep(account, DELIVERED, 2, "")
    assert row() == (6, 0, 6, 0)
    assert accounts.figures(10, Counter())["dropped"] == {"spool_full": 3}


def test_what_two_spools_lose_late_counts_once_for_the_engine() -> None:
    """As the worst of the sinks has it; each sink's own figures are exact."""
    accounts = Accounts()
    rows = [accounts.sinks.setdefault(name, SinkAccount()) for name in ("a", "b")]
    piece = Slice(None, [{}] * 10, [20] * 10, lambda _: [])
    accounts.open_slice(piece, 10, Counter(), rows)
    for account in rows:
        accounts.keep(account, SPOOLED, 10, "")
        accounts.settle(piece, range(10), account, DELIVERED)
        accounts.keep(account, FAILED, 4, "RejectedError")
        accounts.keep(account, DELIVERED, 6, "")
    figures = accounts.figures(10, Counter())

    assert (figures["delivered"], figures["failed"], figures["in_flight"]) == (6, {"RejectedError": 4}, 0)
    assert [row["delivered"] for row in figures["sinks"].values()] == [6, 6]
