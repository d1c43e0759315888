"""The merged list's entries: light until it is known which of them are shown."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mnema.v1 import recall_service_pb2 as pb
from services.recall.scored import Scored
from services.recall.told import Told


@dataclass(slots=True)
class Merged:
    """A memory, message or fact in its place; `memory_ids` are those that share it."""

    source: "pb.ResultSource.ValueType"
    id: str
    score: float
    source_message_ids: Sequence[str]
    what: Scored | Told
    memory_ids: list[str] = field(default_factory=list)

    def add_to(self, response: pb.RecallResponse, *, explain: bool = False) -> None:
        """As the contract shows it, at the end of the list."""
        if isinstance(self.what, Told):
            self._add_fact(response, self.what, explain)
        elif self.source == pb.RESULT_SOURCE_VECTOR:
            self._add_memory(response, self.what)
        else:
            self._add_message(response, self.what)

    def _add_memory(self, response: pb.RecallResponse, scored: Scored) -> None:
        memory = scored.hit.memory
        response.merged.add(
            content=memory.content,
            source=self.source,
            score=self.score,
            id=self.id,
            source_message_ids=self.source_message_ids,
            event_at=memory.event_at if memory.HasField("event_at") else None,
            factors=scored.shown(),
            memory_ids=self.memory_ids,
            passage=scored.passage,
        )

    def _add_message(self, response: pb.RecallResponse, scored: Scored) -> None:
        message = scored.hit.message
        said_by = f"{message.speaker}: " if message.speaker else ""
        response.merged.add(
            content=said_by + message.content,
            source=self.source,
            score=self.score,
            id=self.id,
            source_message_ids=self.source_message_ids,
            event_at=message.said_at,
            factors=scored.shown(),
            memory_ids=self.memory_ids,
            passage=scored.passage,
        )

    def _add_fact(self, response: pb.RecallResponse, told: Told, explain: bool) -> None:
        edge = told.message.edge
        response.merged.add(
            content=told.sentence,
            source=self.source,
            score=self.score,
            id=self.id,
            source_message_ids=self.source_message_ids,
            event_at=edge.valid_from if edge.HasField("valid_from") else None,
            memory_ids=self.memory_ids,
            fact_factors=told.factors if explain else None,
        )


def merged_memory(scored: Scored) -> Merged:
    """The entry of a memory."""
    sources = scored.hit.memory.source_message_ids
    return Merged(pb.RESULT_SOURCE_VECTOR, scored.id, scored.score, sources, scored)


def merged_message(scored: Scored) -> Merged:
    """The entry of a message: it rests on itself."""
    return Merged(pb.RESULT_SOURCE_CONVERSATION, scored.id, scored.score, [scored.id], scored)


def merged_fact(told: Told) -> Merged:
    """The entry of a fact."""
    edge = told.message.edge
    return Merged(pb.RESULT_SOURCE_GRAPH, edge.edge_id, told.score, edge.source_message_ids, told)
