"""What the rules find in a message, for the tests of them."""

from datetime import UTC, datetime
from uuid import uuid4

from services.ingest.extraction.local.extractor import read
from services.ingest.extraction.model import (
    ConversationBatch,
    Extraction,
    SourceMessage,
)

SAID_AT = datetime(2023, 5, 8, 14, 0, tzinfo=UTC)  # a Monday


def message(text: str, *, speaker: str | None = None, role: str = "user") -> SourceMessage:
    return SourceMessage(uuid4(), 1, role, speaker, text, SAID_AT)


def batch(*messages: SourceMessage, user: str = "alice") -> ConversationBatch:
    return ConversationBatch(user, "session", messages)


def extract(text: str, *, speaker: str | None = None, role: str = "user") -> Extraction:
    return read(batch(message(text, speaker=speaker, role=role)))


def triples(extraction: Extraction) -> set[tuple[str, str, str, bool]]:
    """(subject id, relation, object name, ended); a CUSTOM relation shows by its own name."""
    return {
        (each.subject.node_id, each.custom_relation or each.relation, each.object.name, each.ended)
        for each in extraction.triples
    }


def facts(extraction: Extraction) -> dict[str, str | None]:
    """Contents and slots of all memories but the sentences merely kept."""
    return {each.content: each.slot for each in extraction.memories if each.memory_type == "fact"}
