"""A digest: read what is new, think outside of any transaction, store all of it in one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import numpy as np
import structlog
from numpy.typing import NDArray

from services.contract.user import User
from services.reflect import emotion
from services.reflect.insights import NewInsight
from services.reflect.thinking import Thinker
from services.runtime.database import Connection, Database
from services.runtime.errors import MnemaError
from services.runtime.ids import OwnerId
from services.storage import digest_runs, digests, events, foundation, jobs
from services.storage.digests import DigestMemory, EmotionProfileRow
from services.storage.events import DigestMade, Payload
from services.storage.foundation import EmbeddingSpace
from services.storage.memories import remember
from services.storage.memory_rows import NewMemory

log = structlog.get_logger("mnema.reflect")

Vector = NDArray[np.floating[Any]]
KNOWN_INSIGHTS = 20
# Of what was felt before, the recent state looks at so many memories at most.
RECENT_MEMORIES = 100


class Embedder(Protocol):
    """Makes vectors of texts."""

    async def embed(self, texts: Sequence[str], space: EmbeddingSpace) -> list[Vector]:
        """One vector of the space for each text, of unit length. MnemaError when it can't."""
        ...


@dataclass(frozen=True, slots=True)
class StoredInsight:
    """An insight as it was stored: the memory, and its revision `item_id`."""

    memory_id: UUID
    item_id: UUID
    insight: NewInsight


@dataclass(frozen=True, slots=True)
class Digested:
    """What a digest did. `profile` is the emotion profile as it is now; None if there is none."""

    memories_analyzed: int
    insights: tuple[StoredInsight, ...]
    profile: EmotionProfileRow | None


@dataclass(frozen=True, slots=True)
class Material:
    """What a digest thinks over: new memories, what was felt before them, known insights.

    `messages` is how many of the user's messages have been extracted since the last digest.
    """

    memories: tuple[DigestMemory, ...]
    earlier: tuple[DigestMemory, ...]
    known: tuple[str, ...]
    space: EmbeddingSpace
    messages: int


@dataclass(frozen=True, slots=True)
class Thought:
    """What thinking came to, ready to be stored."""

    memories: tuple[DigestMemory, ...]
    recent: tuple[DigestMemory, ...]
    insights: tuple[NewInsight, ...]
    vectors: tuple[Vector, ...] | None
    state: str


class Digester:
    """Digests one user's memories."""

    def __init__(self, database: Database, thinker: Thinker, embedder: Embedder) -> None:
        self._database = database
        self._thinker = thinker
        self._embedder = embedder

    async def read(self, user: User, batch_size: int) -> Material:
        """Reads at most `batch_size` new memories, and what is known already."""
        owner_id = user.owner_id
        async with self._database.transaction(user.scope, readonly=True) as connection:
            # First: what is counted after the memories were read may rest on others.
            messages = await digest_runs.counted_messages(connection, owner_id)
            memories = await digests.undigested(connection, owner_id, batch_size)
            known = await digests.known_insights(connection, owner_id, KNOWN_INSIGHTS)
            space = await foundation.active_space(connection)
            items = [memory.item_id for memory in memories]
            earlier = await digests.recently_felt(connection, owner_id, items, RECENT_MEMORIES)
        # That a memory is about its user goes without saying.
        about = tuple(_without(memory, user.user_id) for memory in memories)
        return Material(about, tuple(earlier), tuple(known), space, messages)

    async def think(self, material: Material) -> Thought:
        """Thinks it over; without memories there is nothing to think, and nobody is asked.

        Raises what the thinker's provider raises. Insights that can't be embedded now are
        stored without a vector; the embedding follows as a job.
        """
        memories = material.memories
        if not memories:
            return Thought((), (), (), None, "")
        insights = await self._thinker.insights(memories, material.known)
        # An old history that is read now does not say how somebody is: the newest do.
        felt = emotion.felt(memories)
        recent = emotion.of_late([*material.earlier, *memories]) if felt else []
        state = await self._thinker.state(recent)
        vectors = await self._vectors([insight.content for insight in insights], material.space)
        return Thought(memories, tuple(recent), tuple(insights), vectors, state)

    async def store(
        self, connection: Connection, user: User, digest_id: UUID, thought: Thought
    ) -> Digested | None:
        """Stores a thought: insights, profile, and that its memories have been read.

        The digest of that id is running, and done by this; None, and nothing stored, if it is
        not. If another digest has read some of the memories meanwhile, this one adds nothing.
        """
        owner_id = user.owner_id
        await foundation.lock_owner(connection, owner_id)
        run = await digest_runs.get_digest(connection, owner_id, digest_id)
        if run is None or run.state != "running":
            return None
        profile = await digests.get_emotion_profile(connection, owner_id)
        items = [memory.item_id for memory in thought.memories]
        if not items or not await _unread(connection, owner_id, items):
            await digest_runs.finish_digest(connection, owner_id, digest_id)
            return Digested(0, (), profile)
        await digests.mark_digested(connection, owner_id, items, digest_id)
        told: list[Payload] = []
        stored = await _remember(connection, user, thought, told)
        await events.record(connection, owner_id, [*told, DigestMade(len(items), len(stored))])
        profile = emotion.updated(
            profile, thought.memories, thought.recent, thought.state, datetime.now(UTC)
        )
        await digests.store_emotion_profile(connection, owner_id, profile)
        await digest_runs.finish_digest(
            connection,
            owner_id,
            digest_id,
            analyzed=len(items),
            insight_items=[insight.item_id for insight in stored],
            profile_revision=profile.revision,
        )
        return Digested(len(items), tuple(stored), profile)

    async def _vectors(
        self, texts: Sequence[str], space: EmbeddingSpace
    ) -> tuple[Vector, ...] | None:
        if not texts:
            return None
        try:
            return tuple(await self._embedder.embed(texts, space))
        except MnemaError as error:
            # The thinking is paid for: keep it, and let the embedding follow.
            log.warning("insights are embedded later", reason=error.reason, error=error.message)
            return None


def _without(memory: DigestMemory, user_id: str) -> DigestMemory:
    others = tuple(name for name in memory.entities if name.casefold() != user_id.casefold())
    return replace(memory, entities=others)


async def _unread(connection: Connection, owner_id: OwnerId, items: Sequence[UUID]) -> bool:
    """Whether no digest has read any of the items, nor anything taken them back."""
    return await digests.count_undigested(connection, owner_id, items) == len(items)


async def _remember(
    connection: Connection, user: User, thought: Thought, told: list[Payload]
) -> list[StoredInsight]:
    if not thought.insights:
        return []
    space = await foundation.active_space(connection)
    new = [
        NewMemory(
            memory_type="insight",
            content=insight.content,
            importance=insight.importance,
            slot=insight.slot,
            category=insight.category,
            source_memory_ids=insight.source_memory_ids,
            event_at=max(
                memory.when
                for memory in thought.memories
                if memory.memory_id in insight.source_memory_ids
            ),
        )
        for insight in thought.insights
    ]
    if thought.vectors is not None:
        pairs = zip(new, thought.vectors, strict=True)
        new = [replace(memory, vector=vector) for memory, vector in pairs]
    remembered = await remember(connection, user.owner_id, new, space, told)
    if any(memory.awaits_vectors for memory in new):
        await jobs.enqueue(connection, jobs.EMBED, user.payload())
    return [
        StoredInsight(each.memory_id, each.item_id, insight)
        for each, insight in zip(remembered, thought.insights, strict=True)
        if each.outcome in ("added", "superseding")
    ]
