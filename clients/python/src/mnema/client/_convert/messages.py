"""Messages, sessions and extractions."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any
from uuid import uuid4

from mnema.client._convert.json_values import dict_of, struct_of
from mnema.client._convert.names import EXTRACTION_STATES
from mnema.client._convert.times import moment_of, optional_moment, timestamp_of
from mnema.client.models import (
    ConversationMessage,
    ConversationSession,
    Extraction,
    IngestStatus,
    MessageReceipt,
)
from mnema.client.results import NewMessage, StreamedMessage
from mnema.v1 import conversation_service_pb2, ingest_service_pb2, types_pb2

_FIELDS = {"role", "content", "speaker", "said_at", "metadata", "session_id"}


def message_of(message: types_pb2.Message) -> ConversationMessage:
    """A message as callers see it."""
    return ConversationMessage(
        id=message.message_id,
        session_id=message.session_id,
        role=message.role,
        content=message.content,
        created_at=moment_of(message.created_at),
        user_id=message.user_id,
        speaker=message.speaker or None,
        said_at=optional_moment(message, "said_at"),
        metadata=dict_of(message.metadata),
        sequence=message.sequence,
        extraction_state=EXTRACTION_STATES.name(message.extraction_state),
    )


def session_of(session: conversation_service_pb2.Session) -> ConversationSession:
    """A session as callers see it."""
    return ConversationSession(
        session_id=session.session_id,
        message_count=session.message_count,
        created_at=moment_of(session.created_at),
        updated_at=moment_of(session.updated_at),
        user_id=session.user_id,
        metadata=dict_of(session.metadata),
        last_message_at=optional_moment(session, "last_message_at"),
        closed_at=optional_moment(session, "closed_at"),
    )


def new_message(given: NewMessage | Mapping[str, Any]) -> ingest_service_pb2.NewMessage:
    """One message of a batch.

    Raises:
        ValueError: role or content is missing, or there is a key that no message has. It would
            be lost silently otherwise.
    """
    _check_keys(given, _FIELDS, "a batch")
    return ingest_service_pb2.NewMessage(
        role=given["role"],
        content=given["content"],
        speaker=given.get("speaker") or "",
        said_at=timestamp_of(given.get("said_at")),
        metadata=struct_of(given.get("metadata")),
        session_id=given.get("session_id") or "",
    )


def streamed_message(
    given: StreamedMessage | Mapping[str, Any], user_id: str, session_id: str
) -> ingest_service_pb2.IngestStreamRequest:
    """One message of a stream, under a request id of its own; ValueError as `new_message`."""
    _check_keys(given, _FIELDS | {"request_id"}, "a stream")
    return ingest_service_pb2.IngestStreamRequest(
        user_id=user_id,
        role=given["role"],
        content=given["content"],
        speaker=given.get("speaker") or "",
        said_at=timestamp_of(given.get("said_at")),
        metadata=struct_of(given.get("metadata")),
        session_id=given.get("session_id") or session_id,
        request_id=given.get("request_id") or str(uuid4()),
    )


def _check_keys(given: Mapping[str, Any], known: AbstractSet[str], of: str) -> None:
    unknown = sorted(set(given) - known)
    missing = sorted({"role", "content"} - set(given))
    if unknown or missing:
        what = f"no key {unknown[0]!r}" if unknown else f"to have {missing[0]!r}"
        raise ValueError(f"a message of {of} has {what}: its keys are {sorted(known)}")


def receipt_of(receipt: ingest_service_pb2.IngestStreamResponse) -> MessageReceipt:
    """A receipt as callers see it."""
    return MessageReceipt(
        id=receipt.message_id,
        session_id=receipt.session_id,
        sequence=receipt.sequence,
        created_at=moment_of(receipt.created_at),
        request_id=receipt.request_id,
    )


def status_of(response: ingest_service_pb2.GetIngestStatusResponse) -> IngestStatus:
    """How much still waits."""
    return IngestStatus(
        pending_messages=response.pending_messages,
        running_extractions=response.running_extractions,
        failed_extractions=response.failed_extractions,
        pending_embeddings=response.pending_embeddings,
    )


def extraction_of(extraction: ingest_service_pb2.Extraction) -> Extraction:
    """An extraction as callers see it."""
    return Extraction(
        id=extraction.extraction_id,
        session_id=extraction.session_id,
        state=EXTRACTION_STATES.name(extraction.state),
        attempts=extraction.attempts,
        messages_processed=extraction.messages_processed,
        facts_extracted=extraction.facts_extracted,
        episodes_extracted=extraction.episodes_extracted,
        triples_extracted=extraction.triples_extracted,
        extractor=extraction.extractor,
        created_at=moment_of(extraction.created_at),
        finished_at=optional_moment(extraction, "finished_at"),
        duration=extraction.duration_ms / 1000,
        error=extraction.error or None,
        error_reason=extraction.error_reason or None,
    )
