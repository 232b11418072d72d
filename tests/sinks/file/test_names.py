"""Names of rotated files: found again, and sorted by age whatever the clock does."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from fapilog.sinks.file.names import Rotated, list_rotated, next_path
from fapilog.testing import FakeClock

NOW = FakeClock().time_ns()
SECOND = 1_000_000_000


def test_a_name_has_the_time_and_a_counter(tmp_path):
    """Two rotations within a second differ by the counter."""
    live = tmp_path / "app.log"
    first = next_path(live, [], NOW)
    first.touch()
    second = next_path(live, list_rotated(live), NOW + 1)

    assert first.name == "app.log.20260101T000000Z-000001"
    assert second.name == "app.log.20260101T000000Z-000002"
    assert next_path(live, list_rotated(live), NOW + SECOND).name == "app.log.20260101T000001Z-000001"


def test_only_our_own_names_are_found(tmp_path):
    """A retention rule never touches what somebody else keeps beside the log."""
    live = tmp_path / "app.log"
    ours = "app.log.20260101T000000Z-000001"
    others = [
        "app.log", "app.log.1", "app.log.2026-01-01", "app.log.bak", ".app.log.lock", "app.logx20260101T000000Z-000001",
        f"x{ours}", f"{ours}.zip", f"{ours}x", "appxlog.20260101T000000Z-000001",
        "app.log.\u0662\u0660260101T000000Z-000001",
    ]  # fmt: skip
    for name in [ours, f"{ours}.gz", *others]:
        (tmp_path / name).touch()

    assert list_rotated(live) == [Rotated("20260101T000000Z", 1, tmp_path / ours, frozenset({"", ".gz"}))]


@given(st.lists(st.integers(-(10**19), 10**19) | st.integers(NOW - 3 * SECOND, NOW + 3 * SECOND), max_size=20))
def test_sorted_by_name_is_sorted_by_age(times):
    """However the wall clock jumps, the next name is new and sorts after all before it."""
    live = Path("/x/app.log")
    rotated: list[Rotated] = []
    names: list[str] = []
    for time_ns in times:
        path = next_path(live, rotated, time_ns)
        stamp, counter = path.name.removeprefix("app.log.").split("-")
        rotated.append(Rotated(stamp, int(counter), path, frozenset({""})))
        names.append(path.name)

    assert names == sorted(set(names))
