"""How many events of which level: counted a slice at a time, and shared out where only their number is known."""

from collections.abc import Mapping, Sequence


def count_levels(counts: dict[int, int], levels: Sequence[int]) -> None:
    """Add the levels of some events to counts by level; of one level, as most slices are, at the price of one look."""
    if not levels:
        return
    first = levels[0]
    alike = levels.count(first)
    if alike == len(levels):
        counts[first] = counts.get(first, 0) + alike
        return
    for level in set(levels):
        counts[level] = counts.get(level, 0) + levels.count(level)


def shared_out(pool: Mapping[int, int], count: int) -> dict[int, int]:
    """Return so many of a pool by level, each level in proportion, and never more than it has.

    Args:
        pool: How many there are of each level.
        count: How many to take; all of them if there are no more.
    """
    whole = sum(pool.values())
    if count >= whole:
        return dict(pool)
    found = {level: size * count // whole for level, size in pool.items()}
    # What rounding has left out goes, one each, to the levels that lost most by it.
    by_rest = sorted(pool, key=lambda level: -(pool[level] * count % whole))
    for level in by_rest[: count - sum(found.values())]:
        found[level] += 1
    return found
