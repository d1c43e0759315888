"""What is known of one entity: memories, relations, messages, and all of it in time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.reflect.analytics.names import Name
from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage import analytics, memories
from services.storage.analytics import Kind
from services.storage.graph_edges import EdgeRow
from services.storage.graph_nodes import NodeRow, get_nodes, nodes_named
from services.storage.graph_reads import NeighborQuery, edges_near, place_of
from services.storage.memory_rows import MemoryRow
from services.storage.messages import MessageRow, get_messages
from services.storage.relations import CUSTOM, NodeKey, node_id_of

MAX_NODES = 16
MAX_NAMES = 24
# So many texts are read at a time until enough of them have the name.
_BATCH = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """Which entity is meant, how much of each kind is wanted, and as of when (None: now)."""

    entity: str
    limit: int
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """A true edge of the entity, with the names of its ends."""

    edge: EdgeRow
    subject: str
    relation: str
    object: str
    matched_ends: int

    @property
    def in_words(self) -> str:
        """The statement behind it, or else subject, relation and object."""
        return self.edge.content or f"{self.subject} -> {self.relation} -> {self.object}"


@dataclass(frozen=True, slots=True)
class Happening:
    """One entry of a timeline."""

    kind: Literal["memory", "conversation", "graph"]
    identity: UUID
    content: str
    time: datetime


@dataclass(frozen=True, slots=True)
class EntityProfile:
    """What is known of an entity; each kind the newest first, the timeline the oldest first."""

    names: tuple[str, ...]
    facts: tuple[MemoryRow, ...]
    relations: tuple[Relation, ...]
    messages: tuple[MessageRow, ...]

    @property
    def timeline(self) -> list[Happening]:
        """All of it by time."""
        happened = [
            *(
                Happening("memory", each.memory_id, each.content, _memory_time(each))
                for each in self.facts
            ),
            *(
                Happening("conversation", each.message_id, each.content, each.said_at)
                for each in self.messages
            ),
            *(
                Happening(
                    "graph",
                    each.edge.edge_id,
                    each.in_words,
                    each.edge.valid_from or each.edge.first_recorded_at,
                )
                for each in self.relations
            ),
        ]
        return sorted(happened, key=lambda each: (each.time, each.kind, each.identity))


async def entity_profile(connection: Connection, owner_id: OwnerId, asked: Asked) -> EntityProfile:
    """Gathers it. ValueError if the name is blank."""
    nodes = await _nodes(connection, owner_id, asked)
    names = _names(asked.entity, nodes)
    through = await analytics.items_through(
        connection, owner_id, [node.key for node in nodes], asked.as_of, asked.limit
    )
    linked = await memories.get_revisions(connection, owner_id, through, asked.as_of)
    worded = await _memories_with(connection, owner_id, names, asked)
    facts = {row.item_id: row for row in (*linked, *worded)}
    return EntityProfile(
        names=tuple(name.text for name in names),
        facts=tuple(sorted(facts.values(), key=_memory_age, reverse=True)[: asked.limit]),
        relations=tuple(await _relations(connection, owner_id, nodes, asked)),
        messages=tuple(await _messages_with(connection, owner_id, names, asked)),
    )


async def _nodes(connection: Connection, owner_id: OwnerId, asked: Asked) -> list[NodeRow]:
    """The nodes that the entity's name or id means."""
    entity = asked.entity.strip()
    by_name = node_id_of(entity)
    found = await nodes_named(
        connection,
        owner_id,
        list(dict.fromkeys((by_name, entity))),
        [by_name],
        asked.as_of,
        MAX_NODES,
    )
    return list(found.named)[:MAX_NODES]


def _names(entity: str, nodes: Iterable[NodeRow]) -> list[Name]:
    """What it is called: as asked for, then as its nodes are; each once in any case."""
    written = [entity]
    for node in nodes:
        written += [node.name, node.key.node_id.replace("_", " ")]
    names: dict[str, Name] = {}
    for each in written:
        if each.strip():
            names.setdefault(node_id_of(each), Name.of(each))
    if not names:
        raise ValueError("a name is not blank")
    return list(names.values())[:MAX_NAMES]


async def _memories_with(
    connection: Connection, owner_id: OwnerId, names: Sequence[Name], asked: Asked
) -> list[MemoryRow]:
    """The newest memories whose words have a name, `limit` of each name."""
    found: dict[UUID, MemoryRow] = {}
    for name in names:
        taken = 0
        for batch in _batches(await _candidates(connection, owner_id, "memory", name, asked)):
            rows = await memories.get_revisions(connection, owner_id, batch, asked.as_of)
            named = [row for row in rows if name.is_in(row.content)]
            found |= {row.item_id: row for row in named}
            taken += len(named)
            if taken >= asked.limit:
                break
    return list(found.values())


async def _messages_with(
    connection: Connection, owner_id: OwnerId, names: Sequence[Name], asked: Asked
) -> list[MessageRow]:
    """The newest messages that have a name."""
    found: dict[UUID, MessageRow] = {}
    for name in names:
        taken = 0
        for batch in _batches(await _candidates(connection, owner_id, "message", name, asked)):
            rows = await get_messages(connection, owner_id, batch, asked.as_of)
            named = [row for row in rows if name.is_in(row.content)]
            found |= {row.message_id: row for row in named}
            taken += len(named)
            if taken >= asked.limit:
                break
    return sorted(found.values(), key=lambda row: (row.said_at, row.message_id), reverse=True)[
        : asked.limit
    ]


async def _candidates(
    connection: Connection, owner_id: OwnerId, kind: Kind, name: Name, asked: Asked
) -> list[UUID]:
    """What may have the name, the newest first."""
    if name.terms:
        return await analytics.items_with_terms(connection, owner_id, kind, name.terms, asked.as_of)
    return await analytics.items_with_text(connection, owner_id, kind, name.text, asked.as_of)


def _batches(items: Sequence[UUID]) -> Iterable[Sequence[UUID]]:
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))


async def _relations(
    connection: Connection, owner_id: OwnerId, nodes: Sequence[NodeRow], asked: Asked
) -> list[Relation]:
    """The true edges of the nodes, the newest first."""
    if not nodes:
        return []
    keys = {node.key for node in nodes}
    query = NeighborQuery(asked.limit, as_of=asked.as_of)
    near = await edges_near(connection, owner_id, keys, query)
    edges = {each.edge.edge_id: each.edge for each in near}
    newest = sorted(edges.values(), key=place_of, reverse=True)[: asked.limit]
    ends = {end for edge in newest for end in (edge.source, edge.target)}
    known = await get_nodes(connection, owner_id, ends, asked.as_of)

    def name_of(key: NodeKey) -> str:
        return known[key].name if key in known else key.node_id

    return [
        Relation(
            edge,
            name_of(edge.source),
            edge.custom_type if edge.edge_type == CUSTOM else edge.edge_type,
            name_of(edge.target),
            sum(end in keys for end in (edge.source, edge.target)),
        )
        for edge in newest
    ]


def _memory_age(row: MemoryRow) -> tuple[datetime, UUID]:
    return row.first_recorded_at, row.memory_id


def _memory_time(row: MemoryRow) -> datetime:
    return row.event_at or row.first_recorded_at
