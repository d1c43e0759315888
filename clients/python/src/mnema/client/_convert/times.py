"""Moments: aware datetimes and Timestamps."""

from datetime import datetime, timezone

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

UTC = timezone.utc


def timestamp_of(moment: datetime | None) -> Timestamp | None:
    """A moment as a Timestamp; None stays None.

    Raises:
        TypeError: it is a date, a text or something else that is no moment.
        ValueError: the moment has no time zone. Guessing one would shift it silently.
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
    message.FromDatetime(moment)
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
