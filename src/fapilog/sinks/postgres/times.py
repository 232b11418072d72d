"""Moments as whole microseconds since 1970, which is what PostgreSQL keeps, and back."""

import datetime


def microseconds(moment: datetime.datetime) -> int:
    """Return the microseconds of a moment with a time zone, exactly."""
    return (moment - datetime.datetime.fromtimestamp(0, datetime.UTC)) // datetime.timedelta(microseconds=1)


def moment_of(time: float) -> datetime.datetime:
    """Return the moment, in UTC.

    Raises:
        OverflowError: If it is before the year 1 or after 9999.
    """
    return datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(microseconds=int(time))
