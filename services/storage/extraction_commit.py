"""The one transaction that makes an extraction's findings part of memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage import events, extractions, messages
from services.storage.events import ExtractionEnded, MemoryChanged, Payload
from services.storage.foundation import EmbeddingSpace, lock_owner
from services.storage.graph import Statement, state
from services.storage.graph_nodes import ensure_nodes
from services.storage.key_values import PROFILE, appended, get_values, set_values
from services.storage.memories import Remembered, remember
from services.storage.memory_rows import NewMemory
from services.storage.relations import NodeRef
from services.storage.slots import vacate_slot

EPISODIC = "episodic"


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """ "set" replaces a profile key's value; "append" adds `value` to its list, once."""

    key: str
    value: Any
    mode: Literal["set", "append"]


@dataclass(frozen=True, slots=True)
class Vacated:
    """What is over: the memory in `slot` that is about `name`, unless it is newer than `at`."""

    slot: str
    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Findings:
    """What one extraction found.

    `paths` names, for each memory, the nodes it goes through, in their order. The memories'
    vectors are of `space`.
    """

    memories: tuple[NewMemory, ...]
    paths: tuple[tuple[NodeRef, ...], ...]
    statements: tuple[Statement, ...]
    profile: tuple[ProfileChange, ...]
    extractor: str
    duration_ms: int
    space: EmbeddingSpace
    vacated: tuple[Vacated, ...] = ()


async def commit_findings(
    connection: Connection, owner_id: OwnerId, extraction_id: UUID, findings: Findings
) -> bool:
    """Writes everything, and that the extraction is done.

    False, and nothing written, if the extraction is not running: a second run of the same
    job changes nothing.
    """
    await lock_owner(connection, owner_id)
    episodes = sum(memory.memory_type == EPISODIC for memory in findings.memories)
    finished = await connection.fetchrow(
        extractions.SQL["finish"],
        owner_id,
        extraction_id,
        len(findings.memories) - episodes,
        episodes,
        len(findings.statements),
        findings.extractor,
        findings.duration_ms,
    )
    if finished is None:
        return False
    told: list[Payload] = []
    remembered = await remember(connection, owner_id, findings.memories, findings.space, told)
    told += await _vacate(connection, owner_id, findings.vacated)
    await state(connection, owner_id, findings.statements)
    await _lay_pathways(connection, owner_id, remembered, findings.paths)
    outdone = _outdone_slots(findings.memories, remembered)
    changes = [
        each for each in findings.profile if each.mode == "append" or each.key not in outdone
    ]
    await _update_profile(connection, owner_id, extraction_id, changes)
    await messages.set_extraction_state(connection, owner_id, [extraction_id], "done")
    told.append(
        ExtractionEnded(
            session_id=finished["session_id"],
            extraction_id=str(extraction_id),
            messages=finished["messages"],
            duration_ms=findings.duration_ms,
            facts=len(findings.memories) - episodes,
            episodes=episodes,
            triples=len(findings.statements),
        )
    )
    await events.record(connection, owner_id, told)
    return True


async def _vacate(
    connection: Connection, owner_id: OwnerId, vacated: Sequence[Vacated]
) -> list[MemoryChanged]:
    """Ends what is over; returns what there is to tell of it."""
    changes = [
        await vacate_slot(connection, owner_id, each.slot, each.name, each.at) for each in vacated
    ]
    return [change for change in changes if change is not None]


def _outdone_slots(
    memories: Sequence[NewMemory], remembered: Sequence[Remembered]
) -> frozenset[str]:
    """The names of slots ("location") whose present holder is newer than what was found.

    A profile's keys have the names of slots, and follow them.
    """
    held = {
        memory.slot.rpartition("/")[2]: each.outcome != "historical"
        for memory, each in zip(memories, remembered, strict=True)
        if memory.slot
    }
    return frozenset(name for name, present in held.items() if not present)


async def _lay_pathways(
    connection: Connection,
    owner_id: OwnerId,
    remembered: Sequence[Remembered],
    paths: Sequence[Sequence[NodeRef]],
) -> None:
    """A memory that was merely said again keeps the path it has."""
    await ensure_nodes(connection, owner_id, [node for path in paths for node in path])
    steps = [
        (memory.memory_id, position, node.node_type, node.node_id)
        for memory, path in zip(remembered, paths, strict=True)
        if memory.outcome != "refreshed"
        for position, node in enumerate(path)
    ]
    if steps:
        await connection.execute(
            extractions.SQL["insert_pathways"], owner_id, *map(list, zip(*steps, strict=True))
        )


async def _update_profile(
    connection: Connection,
    owner_id: OwnerId,
    extraction_id: UUID,
    changes: Sequence[ProfileChange],
) -> None:
    """Makes the changes in their order; each key gets one new revision at most."""
    keys = list(dict.fromkeys(change.key for change in changes))
    present = await get_values(connection, owner_id, PROFILE, keys)
    values = {key: row.value for key, row in present.items()}
    for change in changes:
        if change.mode == "set":
            values[change.key] = change.value
        else:
            added = change.value if isinstance(change.value, list) else [change.value]
            values[change.key] = appended(values.get(change.key, []), added)
    changed = {
        key: value
        for key, value in values.items()
        if key not in present or value != present[key].value
    }
    await set_values(connection, owner_id, PROFILE, changed, extraction_id)
