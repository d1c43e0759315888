"""From what an extractor found to what is stored."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.ingest.embedder import Vector
from services.ingest.extraction.model import (
    ConversationBatch,
    EntityRef,
    ExtractedMemory,
    ExtractedTriple,
    Extraction,
    SourceMessage,
    slot_of,
)
from services.storage.extraction_commit import Findings, ProfileChange, Vacated
from services.storage.foundation import EmbeddingSpace
from services.storage.graph import Statement
from services.storage.memory_rows import Emotion, NewMemory
from services.storage.messages import MessageRow
from services.storage.relations import CORRECTED, SINGLE_VALUED, NodeRef

# The single-valued facts that an edge and a memory both hold.
_SLOT_OF_RELATION = {"WORKS_AT": "employer", "LIVES_IN": "location"}
# Said longer ago than this, a message was imported.
_RECENT = timedelta(days=1)


def batch_of(
    user_id: str, session_id: str, rows: Sequence[MessageRow], *, triples: bool = True
) -> ConversationBatch:
    """Stored messages of one session as the extractor reads them."""
    return ConversationBatch(
        user_id,
        session_id,
        tuple(
            SourceMessage(
                row.message_id,
                row.sequence,
                row.role,
                row.speaker or None,
                row.content,
                row.said_at,
            )
            for row in rows
        ),
        triples=triples,
    )


def findings_of(
    extraction: Extraction,
    batch: ConversationBatch,
    extraction_id: UUID,
    *,
    extractor: str,
    duration_ms: int,
    space: EmbeddingSpace,
) -> Findings:
    """An extraction, ready to be committed; without vectors.

    Where no triples were asked for, nothing of it goes to the graph; what is over still ends
    the memories that say it.
    """
    said_at = {message.message_id: message.said_at for message in batch.messages}
    return Findings(
        memories=tuple(_memory(each, extraction_id, said_at) for each in extraction.memories),
        paths=tuple(
            tuple(map(_node, each.entities)) if batch.triples else ()
            for each in extraction.memories
        ),
        statements=_statements(extraction.triples if batch.triples else (), extraction_id, said_at),
        vacated=tuple(_vacated(extraction.triples, said_at)),
        profile=tuple(
            ProfileChange(each.key, each.value, each.mode) for each in extraction.profile_updates
        ),
        # "llm:gpt-4o-mini" is gpt-4o-mini to a caller.
        extractor=extractor.removeprefix("llm:"),
        duration_ms=duration_ms,
        space=space,
    )


def _memory(
    memory: ExtractedMemory, extraction_id: UUID, said_at: dict[UUID, datetime]
) -> NewMemory:
    emotion = memory.emotion
    event_at = memory.event_at
    if event_at is None and memory.slot:
        # What fills a slot was true when it was said at the latest: in an imported history that
        # decides which of two is the newer one.
        event_at = _latest(memory.source_message_ids, said_at)
    return NewMemory(
        memory_type=memory.memory_type,
        content=memory.content,
        importance=memory.importance,
        confidence=memory.confidence,
        emotion=Emotion(emotion.valence, emotion.arousal, emotion.label) if emotion else None,
        slot=memory.slot or "",
        category=memory.category or "",
        entities=tuple(dict.fromkeys(entity.name for entity in memory.entities)),
        source_message_ids=memory.source_message_ids,
        extraction_id=extraction_id,
        event_at=event_at,
    )


def with_vectors(findings: Findings, memory_vectors: Sequence[Vector]) -> Findings:
    """The findings with a vector for each memory."""
    memories = tuple(
        replace(memory, vector=vector)
        for memory, vector in zip(findings.memories, memory_vectors, strict=True)
    )
    return replace(findings, memories=memories)


def _statements(
    triples: Sequence[ExtractedTriple], extraction_id: UUID, said_at: dict[UUID, datetime]
) -> tuple[Statement, ...]:
    """The triples; what says no time was true, or over, when it was said at the latest.

    In an imported history that keeps what was said last on top, whenever it is read. Of
    several that take each other's place only the last one gets its time so: the others were
    over with it. And a recent end needs no time: it counts as now, however often it is told.
    """
    statements = [_statement(each, extraction_id) for each in triples]
    last = {each.slot: position for position, each in enumerate(statements)}
    imported_before = datetime.now(UTC) - _RECENT
    for position, statement in enumerate(statements):
        moment = _latest(statement.source_message_ids, said_at)
        if moment is None or statement.edge_type in CORRECTED:
            continue
        if statement.ended and statement.valid_to is None and moment < imported_before:
            statements[position] = replace(statement, valid_to=moment)
        elif (
            statement.edge_type in SINGLE_VALUED
            and last[statement.slot] == position
            and not statement.is_end
            and statement.valid_from is None
        ):
            statements[position] = replace(statement, valid_from=moment)
    return tuple(statements)


def _vacated(
    triples: Sequence[ExtractedTriple], said_at: dict[UUID, datetime]
) -> Iterator[Vacated]:
    """The memories that what is over leaves behind: "left Google" ends "Works at Google"."""
    for triple in triples:
        slot = _SLOT_OF_RELATION.get(triple.relation)
        if triple.ended and slot is not None:
            at = triple.valid_to or _latest(triple.source_message_ids, said_at)
            yield Vacated(
                slot_of(triple.subject, slot), triple.object.name, at or datetime.now(UTC)
            )


def _latest(message_ids: Sequence[UUID], said_at: dict[UUID, datetime]) -> datetime | None:
    """When the last of these messages was said."""
    return max((said_at[each] for each in message_ids if each in said_at), default=None)


def _statement(triple: ExtractedTriple, extraction_id: UUID) -> Statement:
    return Statement(
        _node(triple.subject),
        triple.relation,
        triple.custom_relation or "",
        _node(triple.object),
        content=triple.content,
        confidence=triple.confidence,
        valid_from=triple.valid_from,
        valid_to=triple.valid_to,
        ended=triple.ended,
        source_message_ids=triple.source_message_ids,
        extraction_id=extraction_id,
    )


def _node(entity: EntityRef) -> NodeRef:
    return NodeRef(entity.node_type, entity.node_id, entity.name)
