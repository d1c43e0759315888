"""Messages and the states of their extraction: the contract's form and the storage's."""

from collections.abc import Mapping
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from mnema.v1.types_pb2 import ExtractionState, Message
from services.contract.json_values import struct_of
from services.storage.messages import MessageRow

STATES: Mapping[str, "ExtractionState.ValueType"] = {
    "pending": ExtractionState.EXTRACTION_STATE_PENDING,
    "running": ExtractionState.EXTRACTION_STATE_RUNNING,
    "done": ExtractionState.EXTRACTION_STATE_DONE,
    "failed": ExtractionState.EXTRACTION_STATE_FAILED,
    "skipped": ExtractionState.EXTRACTION_STATE_SKIPPED,
}
_NAMES = {state: name for name, state in STATES.items()}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def state_name(state: "ExtractionState.ValueType") -> str:
    """The storage's name of a state; empty for UNSPECIFIED, which filters nothing."""
    return _NAMES.get(state, "")


def message_of(row: MessageRow, user_id: str) -> Message:
    """A stored message of `user_id`, as the contract shows it."""
    return Message(
        message_id=str(row.message_id),
        user_id=user_id,
        session_id=row.session_id,
        role=row.role,
        speaker=row.speaker,
        content=row.content,
        metadata=struct_of(row.metadata) if row.metadata else None,
        said_at=timestamp_of(row.said_at),
        created_at=timestamp_of(row.recorded_at),
        sequence=row.sequence,
        extraction_state=STATES[row.extraction_state],
    )


def timestamp_of(moment: datetime) -> Timestamp:
    """An aware moment, to the microsecond."""
    # Six of them are made for each memory: Timestamp.FromDatetime takes four times as long.
    since = moment - _EPOCH
    seconds = since.days * 86_400 + since.seconds
    return Timestamp(seconds=seconds, nanos=since.microseconds * 1_000)


def datetime_of(stamp: Timestamp) -> datetime:
    """A Timestamp in UTC; what is finer than a microsecond is cut off."""
    return stamp.ToDatetime(tzinfo=UTC)
