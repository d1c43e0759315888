"""Memories: how they come to be, are read, corrected and taken back.

A row is one revision (item_id); memory_id names the memory through all of them. Whoever
writes here holds the user's lock (`foundation.lock_owner`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg

from services.runtime.database import Connection
from services.runtime.ids import OwnerId, new_id
from services.storage import events
from services.storage.events import MemoryChanged, Payload
from services.storage.foundation import EmbeddingSpace
from services.storage.memory_accesses import Access
from services.storage.memory_events import MemoryEvents
from services.storage.memory_inserts import MemoryInserts, Revision
from services.storage.memory_refreshes import as_known, refresh
from services.storage.memory_rows import COLUMNS, Embedding, MemoryRow, NewMemory, memory_row
from services.storage.memory_units import MemoryText, index_memories, store_memory_vectors
from services.storage.queries import load
from services.storage.search_items import retract_items
from services.storage.vectors import copy_vector

Outcome = Literal["added", "refreshed", "superseding", "historical"]


@dataclass(frozen=True, slots=True)
class Remembered:
    """What became of a NewMemory.

    `added`; `refreshed`: a present memory says the same and is this one; `superseding`: it
    took its slot from `superseded`; `historical`: the slot's holder, `superseded`, is newer
    than it, so it was never the present view.
    """

    memory_id: UUID
    item_id: UUID
    outcome: Outcome
    superseded: UUID | None = None


@dataclass(frozen=True, slots=True)
class MemoryFilter:
    """Which memories to list: all of it must hold, each interval is half-open, None is open.

    `created_*` is when the first revision was stored. With `as_of`, the memories that stood
    at that moment. `tags` must all be there; `text` is part of the content, in capitals or not.
    """

    memory_types: tuple[str, ...] = ()
    created_after: datetime | None = None
    created_before: datetime | None = None
    event_after: datetime | None = None
    event_before: datetime | None = None
    as_of: datetime | None = None
    tags: tuple[str, ...] = ()
    category: str = ""
    text: str = ""


SQL = {
    name: statement.replace("{columns}", COLUMNS) for name, statement in load("memories").items()
}


async def remember(
    connection: Connection,
    owner_id: OwnerId,
    memories: Sequence[NewMemory],
    space: EmbeddingSpace,
    told: list[Payload] | None = None,
) -> list[Remembered]:
    """Stores memories in their order, one answer for each: the one way they come to be.

    A present memory of the same type and content is refreshed instead of repeated: said
    again, it takes the higher importance and the further sources. (Episodes of different
    event times are different.) A memory with a slot supersedes the slot's holder, unless the
    holder has been true since later (`event_at`, or else when it was recorded).
    Words are indexed and the given vectors stored; where one `awaits_vectors`, enqueue
    jobs.EMBED. The events of it are recorded, or appended to `told`, for the caller to record.
    """
    changes = MemoryEvents()
    remembered: list[Remembered] = []
    texts: list[MemoryText] = []
    vectors: dict[UUID, Embedding] = {}
    retracted: list[UUID] = []
    inserts = MemoryInserts(connection, owner_id)
    said = await _present_contents(connection, owner_id, memories)
    for memory in memories:
        repeated = None
        if memory.content in said:
            await inserts.flush()
            repeated = await _refresh(connection, owner_id, memory, changes)
        remembered.append(
            repeated or await _add(connection, owner_id, memory, inserts, texts, retracted, changes)
        )
        said.add(memory.content)
        if memory.vector is not None:
            vectors[remembered[-1].item_id] = memory.vector
    await inserts.flush()
    await index_memories(connection, owner_id, texts)
    await store_memory_vectors(connection, owner_id, space, vectors)
    await retract_items(connection, owner_id, retracted)
    await changes.record(connection, owner_id, told)
    return remembered


async def _present_contents(
    connection: Connection, owner_id: OwnerId, memories: Sequence[NewMemory]
) -> set[str]:
    """Those contents that present memories have: no other one can be said again."""
    contents = list({memory.content for memory in memories})
    if not contents:
        return set()
    rows = await connection.fetch(SQL["list_present_contents"], owner_id, contents)
    return {row["content"] for row in rows}


async def _refresh(
    connection: Connection, owner_id: OwnerId, memory: NewMemory, changes: MemoryEvents
) -> Remembered | None:
    row = await connection.fetchrow(
        SQL["find_repeated"],
        owner_id,
        memory.memory_type,
        memory.content,
        memory.slot,
        memory.event_at,
    )
    if row is None:
        return None
    await refresh(connection, owner_id, row["item_id"], memory)
    changes.stands(row["memory_id"], "refreshed", row["memory_type"], row["revision"])
    return Remembered(row["memory_id"], row["item_id"], "refreshed")


async def _add(
    connection: Connection,
    owner_id: OwnerId,
    memory: NewMemory,
    inserts: MemoryInserts,
    texts: list[MemoryText],
    retracted: list[UUID],
    changes: MemoryEvents,
) -> Remembered:
    """Stores a memory that is new; appends what is to be indexed, retracted and told."""
    memory_id, item_id = new_id(), new_id()
    outcome: Outcome = "added"
    recorded_at = superseded = superseded_by = holder = None
    if memory.slot:
        await inserts.flush()
        holder = await connection.fetchrow(SQL["get_slot_holder"], owner_id, memory.slot)
    if holder is not None:
        superseded = holder["memory_id"]
        if memory.event_at is not None and memory.event_at < holder["true_since"]:
            outcome, superseded_by = "historical", superseded
        else:
            outcome = "superseding"
            closed = await connection.fetchrow(
                SQL["retract_memory"], owner_id, superseded, "superseded", memory_id
            )
            if closed is not None:
                recorded_at = closed["retracted_at"]
                changes.superseded(superseded, closed["memory_type"], closed["revision"], memory_id)
            retracted.append(holder["item_id"])
    revision = Revision(memory_id, item_id, recorded_at=recorded_at, superseded_by=superseded_by)
    inserts.add(memory, revision)
    if outcome != "historical":  # it stands in no view of any moment, so no search finds it
        texts.append(_text(memory, revision))
        changes.stands(memory_id, "added", memory.memory_type)
    else:
        changes.superseded(memory_id, memory.memory_type, 1, superseded)
    return Remembered(memory_id, item_id, outcome, superseded)


def _text(memory: NewMemory, revision: Revision) -> MemoryText:
    return MemoryText(
        revision.item_id,
        memory.content,
        memory.source_message_ids[0] if memory.source_message_ids else None,
        event_at=memory.event_at,
        memory_type=memory.memory_type,
        recorded_at=revision.recorded_at,
        created_at=revision.first_recorded_at,
    )


async def update_memory(
    connection: Connection,
    owner_id: OwnerId,
    present: MemoryRow,
    changed: NewMemory,
    space: EmbeddingSpace,
) -> UUID:
    """Replaces a present revision by one that says `changed`; returns the new item_id.

    The old one is retracted ('updated'). The vector is `changed.vector`, or else, when the
    content is the same, the old one's; otherwise, or if it `awaits_vectors`, enqueue jobs.EMBED.
    """
    closed = await connection.fetchrow(
        SQL["retract_memory"], owner_id, present.memory_id, "updated", None
    )
    revision = Revision(
        present.memory_id,
        new_id(),
        present.revision + 1,
        first_recorded_at=present.first_recorded_at,
        recorded_at=closed["retracted_at"] if closed else None,
        last_refreshed_at=present.last_refreshed_at,
    )
    inserts = MemoryInserts(connection, owner_id)
    inserts.add(changed, revision)
    await inserts.flush()
    await retract_items(connection, owner_id, [present.item_id])
    await index_memories(connection, owner_id, [_text(changed, revision)])
    if changed.vector is not None:
        await store_memory_vectors(connection, owner_id, space, {revision.item_id: changed.vector})
    elif changed.content == present.content:
        await copy_vector(connection, owner_id, space, present.item_id, revision.item_id)
    change = MemoryChanged(str(present.memory_id), "updated", changed.memory_type, revision.number)
    await events.record(connection, owner_id, [change])
    return revision.item_id


async def retract_memory(connection: Connection, owner_id: OwnerId, memory_id: UUID) -> bool:
    """Takes a memory out of the present ('deleted'); False if it was not there."""
    closed = await connection.fetchrow(SQL["retract_memory"], owner_id, memory_id, "deleted", None)
    if closed is None:
        return False
    await retract_items(connection, owner_id, [closed["item_id"]])
    change = MemoryChanged(str(memory_id), "deleted", closed["memory_type"], closed["revision"])
    await events.record(connection, owner_id, [change])
    return True


async def get_memory(
    connection: Connection, owner_id: OwnerId, memory_id: UUID, as_of: datetime | None = None
) -> MemoryRow | None:
    """The last revision recorded by `as_of` (default: now), present then or taken back."""
    row = await connection.fetchrow(SQL["get_memory"], owner_id, memory_id, as_of)
    rows = [memory_row(dict(row))] if row else []
    return next(iter(await as_known(connection, owner_id, rows, as_of)), None)


async def get_revisions(
    connection: Connection,
    owner_id: OwnerId,
    item_ids: Sequence[UUID],
    as_of: datetime | None = None,
) -> list[MemoryRow]:
    """The revisions of these item_ids, in no order; unknown ones are left out.

    With `as_of` as they were known then: it's for revisions that were recorded by that moment.
    """
    rows = await connection.fetch(SQL["get_revisions"], owner_id, list(item_ids))
    return await as_known(connection, owner_id, [memory_row(dict(row)) for row in rows], as_of)


async def get_recalled(
    connection: Connection,
    owner_id: OwnerId,
    item_ids: Sequence[UUID],
    as_of: datetime | None = None,
) -> list[tuple[MemoryRow, Access | None]]:
    """The same, each with how often recall has returned its memory by now (None: never)."""
    found = await connection.fetch(SQL["get_recalled"], owner_id, list(item_ids))
    accesses = {row["item_id"]: _access(row) for row in found}
    rows = [memory_row(_without_access(row)) for row in found]
    rows = await as_known(connection, owner_id, rows, as_of)
    return [(row, accesses[row.item_id]) for row in rows]


async def list_memories(
    connection: Connection,
    owner_id: OwnerId,
    chosen: MemoryFilter,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
) -> list[MemoryRow]:
    """The newest first by when they were first stored, at most `limit`.

    `after` is (first_recorded_at, memory_id) of the last row of the page before.
    """
    rows = await connection.fetch(
        SQL["list_memories"],
        owner_id,
        chosen.as_of,
        list(chosen.memory_types) or None,
        chosen.created_after,
        chosen.created_before,
        chosen.event_after,
        chosen.event_before,
        list(chosen.tags),
        chosen.category,
        chosen.text,
        *(after or (None, None)),
        limit,
    )
    found = [memory_row(dict(row)) for row in rows]
    return await as_known(connection, owner_id, found, chosen.as_of)


async def list_revisions(
    connection: Connection,
    owner_id: OwnerId,
    memory_id: UUID,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
    as_of: datetime | None = None,
) -> list[MemoryRow]:
    """All revisions of a memory and of those that took its slot in turn, the oldest first.

    `after` is (recorded_at, item_id) of the last row of the page before; with `as_of` only
    what was known at that moment.
    """
    rows = await connection.fetch(
        SQL["list_revisions"], owner_id, memory_id, *(after or (None, None)), limit, as_of
    )
    return await as_known(connection, owner_id, [memory_row(dict(row)) for row in rows], as_of)


_COUNTED = ("access_count", "last_accessed_at")


def _access(row: asyncpg.Record) -> Access | None:
    count, last_at = (row[name] for name in _COUNTED)
    return None if count is None else Access(count, last_at)


def _without_access(row: asyncpg.Record) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _COUNTED}
