"""Moments: aware datetimes and Timestamps."""

from datetime import datetime, timezone

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

UTC = timezone.utc


def timestamp_of(moment: datetime | None) -> Timestamp | None:
    """A moment as a Timestamp; None stays None.

    Raises:
        TypeError: it is a date, a text or something else that is no moment.
        ValueError: the moment has no time zone (guessing one would shift it silently), or is
            not in the years 1 to 9999 in UTC. The server takes those of the years 2 to 9998.
    """
    if moment is None:
        return None
    if not isinstance(moment, datetime):
        raise TypeError(f"a moment is an aware datetime, not {moment!r}")
    if moment.utcoffset() is None:
        raise ValueError(
            f"{moment.isoformat()} has no time zone: use datetime.now(timezone.utc), "
            "or .astimezone() if it is local time"
        )
    message = Timestamp()
    try:
        message.FromDatetime(moment)
    except OverflowError:
        raise ValueError(f"{moment.isoformat()} is no time of the years 2 to 9998") from None
    return message


def moment_of(message: Timestamp) -> datetime:
    """A Timestamp in UTC, to the microsecond."""
    return message.ToDatetime(UTC)


def optional_moment(message: Message, field: str) -> datetime | None:
    """The Timestamp in a field of a message; None where it is unset."""
    if not message.HasField(field):
        return None
    value = getattr(message, field)
    if not isinstance(value, Timestamp):
        raise TypeError(f"{field} is no Timestamp")
    return moment_of(value)
