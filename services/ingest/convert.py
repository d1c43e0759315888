"""The contract's messages of ingest, conversations and key-values, and the storage's rows."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from mnema.v1 import conversation_service_pb2 as conversation
from mnema.v1 import ingest_service_pb2 as ingest
from mnema.v1 import key_value_service_pb2 as kv
from services.contract.convert_message import STATES, datetime_of, timestamp_of
from services.contract.json_values import struct_dict, struct_of, value_of
from services.ingest.intake import Said
from services.runtime.errors import invalid
from services.runtime.paging import Cursor
from services.storage.extractions import ExtractionRow
from services.storage.key_values import KeyValueRow
from services.storage.messages import MessageRow
from services.storage.sessions import SessionRow


class SaidMessage(Protocol):
    """What IngestRequest and NewMessage have in common."""

    session_id: str
    role: str
    content: str
    speaker: str

    @property
    def metadata(self) -> Struct:
        """The caller's own data."""
        ...

    @property
    def said_at(self) -> Timestamp:
        """When it was said."""
        ...


def said_of(message: SaidMessage) -> Said:
    """A message of a request."""
    return Said(
        message.session_id,
        message.role,
        message.content,
        message.speaker,
        struct_dict(message.metadata),
        moment_of(message, "said_at"),
    )


def moment_of(message: object, field: str) -> datetime | None:
    """A Timestamp field, None if it is unset."""
    if isinstance(message, Message) and message.HasField(field):
        return datetime_of(getattr(message, field))
    return None


def receipt_of(row: MessageRow) -> ingest.MessageReceipt:
    """The acknowledgement of one message."""
    return ingest.MessageReceipt(
        message_id=str(row.message_id),
        session_id=row.session_id,
        sequence=row.sequence,
        created_at=timestamp_of(row.recorded_at),
    )


def extraction_of(row: ExtractionRow) -> ingest.Extraction:
    """An extraction as the contract shows it."""
    return ingest.Extraction(
        extraction_id=str(row.extraction_id),
        session_id=row.session_id,
        state=STATES[row.state],
        attempts=row.attempts,
        error=row.error,
        error_reason=row.error_reason,
        messages_processed=row.messages,
        facts_extracted=row.facts,
        episodes_extracted=row.episodes,
        triples_extracted=row.triples,
        extractor=row.extractor,
        created_at=timestamp_of(row.recorded_at),
        finished_at=timestamp_of(row.finished_at) if row.finished_at else None,
        duration_ms=row.duration_ms,
    )


def session_of(row: SessionRow, user_id: str) -> conversation.Session:
    """A session as the contract shows it."""
    return conversation.Session(
        session_id=row.session_id,
        user_id=user_id,
        message_count=row.message_count,
        metadata=struct_of(row.metadata) if row.metadata else None,
        created_at=timestamp_of(row.recorded_at),
        updated_at=timestamp_of(row.updated_at),
        last_message_at=timestamp_of(row.last_message_at) if row.last_message_at else None,
        closed_at=timestamp_of(row.closed_at) if row.closed_at else None,
    )


def key_value_of(row: KeyValueRow, namespace: str) -> kv.KeyValue:
    """A value under its name."""
    return kv.KeyValue(
        namespace=namespace,
        key=row.key,
        value=value_of(row.value),
        updated_at=timestamp_of(row.recorded_at),
    )


def time_and_id(cursor: Cursor | None) -> tuple[datetime, UUID] | None:
    """The cursor of a list sorted by a time and an id."""
    found = time_and_name(cursor)
    return None if found is None else (found[0], UUID(found[1]))


def time_and_name(cursor: Cursor | None) -> tuple[datetime, str] | None:
    """The cursor of a list sorted by a time and a name."""
    if cursor is None:
        return None
    try:
        moment, name = cursor
        return datetime.fromisoformat(str(moment)), str(name)
    except ValueError as error:
        raise _another_list() from error


def place_of(cursor: Cursor | None) -> int:
    """The cursor of a list sorted by places in a session; 0 for the first page."""
    match cursor:
        case None:
            return 0
        case (int(place),):
            return place
    raise _another_list()


def name_of(cursor: Cursor | None) -> str:
    """The cursor of a list sorted by names; empty for the first page."""
    match cursor:
        case None:
            return ""
        case (str(name),):
            return name
    raise _another_list()


def _another_list() -> Exception:
    return invalid("page_token", "is not a token of this list", "PAGE_TOKEN_INVALID")
