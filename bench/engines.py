"""Who answers the questions of the quality suite: the system, or a plain engine in process."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args

from bench import profiles
from bench.baselines import Baseline, Engine, baseline, with_speaker
from bench.measuring import Call
from bench.model import model
from bench.system import INGEST_BATCH, RECALL, SEARCH, System, home_of, running
from bench.transcripts import Conversation, Turn
from mnema.v1 import ingest_service_pb2 as ingest_pb
from mnema.v1 import recall_service_pb2 as recall_pb
from mnema.v1 import vector_service_pb2 as vector_pb
from services.providers.embeddings.base import EmbeddingProvider

EngineName = Literal["mnema", "bm25", "dense", "rrf"]
Source = Literal["messages", "merged"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
SOURCES: tuple[Source, ...] = get_args(Source)
_GIVEN = "given"  # the name under which a file's ranking profile is stored


@dataclass(frozen=True, slots=True)
class Result:
    """One thing that was returned: its text, and the ids of the turns that it stands for."""

    turns: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for a question, the best first. `degraded`: an arm was left out."""

    results: tuple[Result, ...]
    milliseconds: float
    degraded: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """How long a conversation took to be taken in, and to be ready for questions; seconds."""

    acknowledged: float
    ready: float


class Asked(Protocol):
    """An engine that has read a conversation."""

    @property
    def taken(self) -> Taken:
        """How long reading took."""

    async def ask(self, question: str, limit: int) -> Answer:
        """The best for the text of the question alone."""


Step = Callable[[int], None]
"""Told of so many turns more."""


class Reads(Protocol):
    """An engine that is ready to read."""

    async def read(self, conversation: Conversation, step: Step) -> Asked:
        """Takes the conversation in, in its order."""


@asynccontextmanager
async def engine(name: EngineName, source: Source, profile: str = "") -> AsyncIterator[Reads]:
    """The named engine; the system is started and ended with the block.

    `profile` is the ranking profile that the system is asked with, a TOML file's if it is a
    path that ends in .toml; empty: the default one. ProfileError if there is none such.
    """
    given = profiles.read(Path(profile), _GIVEN) if profile.endswith(".toml") else None
    if name == "mnema":
        # Messages are found without extraction, which would only take the machine's time.
        settings = {"MNEMA_EXTRACTION__DELAY_SECONDS": "0.1"}
        if source == "messages":
            settings["MNEMA_EXTRACTION__ENABLED"] = "false"
        with home_of(None) as home:
            async with running(home, settings) as system:
                if given is not None:
                    await profiles.store(system, given)
                elif profile:
                    await profiles.stored(system, profile)
                yield _Mnema(system, source, _GIVEN if given is not None else profile)
    else:
        async with model() as provider:
            yield _Plain(name, provider)


class _Mnema:
    """The system, through the gateway; a conversation is a user."""

    def __init__(self, system: System, source: Source, profile: str) -> None:
        self._system = system
        self._source = source
        self._profile = profile

    async def read(self, conversation: Conversation, step: Step) -> Asked:
        user_id = f"bench-{conversation.name}"
        began = time.perf_counter()
        turn_of = await take_in(self._system, user_id, conversation, step)
        acknowledged = time.perf_counter() - began
        if self._source == "merged":
            await self._system.extracted(user_id)
        else:
            await self._system.embedded(user_id)
        taken = Taken(acknowledged, time.perf_counter() - began)
        if self._source == "merged":
            return _Recalled(self._system.call(RECALL), user_id, self._profile, turn_of, taken)
        return _Searched(self._system.call(SEARCH), user_id, self._profile, turn_of, taken)


async def take_in(
    system: System, user_id: str, conversation: Conversation, step: Step
) -> dict[str, str]:
    """Ingests a conversation as a user's, in its order; the turns' ids by those of messages."""
    send = system.call(INGEST_BATCH)
    turn_of: dict[str, str] = {}
    for session_id, turns in conversation.batches():
        request = ingest_pb.IngestBatchRequest(
            user_id=user_id, session_id=session_id, messages=map(_message, turns)
        )
        answer = ingest_pb.IngestBatchResponse.FromString(await send(request.SerializeToString()))
        for receipt, turn in zip(answer.receipts, turns, strict=True):
            turn_of[receipt.message_id] = turn.id
        step(len(turns))
    return turn_of


@dataclass(frozen=True, slots=True)
class _Searched:
    """Messages, by VectorService.Search."""

    call: Call
    user_id: str
    profile: str
    turn_of: dict[str, str]
    taken: Taken

    async def ask(self, question: str, limit: int) -> Answer:
        request = vector_pb.SearchRequest(
            user_id=self.user_id,
            query=question,
            limit=limit,
            kinds=[vector_pb.ITEM_KIND_MESSAGE],
            ranking_profile=self.profile,
        ).SerializeToString()
        began = time.perf_counter()
        found = vector_pb.SearchResponse.FromString(await self.call(request))
        milliseconds = (time.perf_counter() - began) * 1000
        results = tuple(
            Result((self.turn_of[hit.message.message_id],), returned_text(hit))
            for hit in found.hits
        )
        return Answer(results, milliseconds, found.degraded)


@dataclass(frozen=True, slots=True)
class _Recalled:
    """Memories, messages and facts as recall merges them."""

    call: Call
    user_id: str
    profile: str
    turn_of: dict[str, str]
    taken: Taken

    async def ask(self, question: str, limit: int) -> Answer:
        request = recall_pb.RecallRequest(
            user_id=self.user_id,
            query=question,
            limit=limit,
            include_conversations=True,
            ranking_profile=self.profile,
        ).SerializeToString()
        began = time.perf_counter()
        found = recall_pb.RecallResponse.FromString(await self.call(request))
        milliseconds = (time.perf_counter() - began) * 1000
        results = tuple(
            Result(tuple(self.turn_of[each] for each in hit.source_message_ids), hit.content)
            for hit in found.merged
        )
        return Answer(results, milliseconds, found.degraded)


class _Plain:
    """BM25, vectors or both, in this process."""

    def __init__(self, name: Baseline, provider: EmbeddingProvider) -> None:
        self._name = name
        self._provider = provider

    async def read(self, conversation: Conversation, step: Step) -> Asked:
        began = time.perf_counter()
        made = await baseline(self._name, conversation.turns, self._provider)
        seconds = time.perf_counter() - began
        step(len(conversation.turns))
        return _PlainAsked(made, conversation.turns, Taken(seconds, seconds))


@dataclass(frozen=True, slots=True)
class _PlainAsked:
    engine: Engine
    turns: Sequence[Turn]
    taken: Taken

    async def ask(self, question: str, limit: int) -> Answer:
        began = time.perf_counter()
        best = await self.engine.search(question, limit)
        milliseconds = (time.perf_counter() - began) * 1000
        results = tuple(Result((self.turns[p].id,), with_speaker(self.turns[p])) for p in best)
        return Answer(results, milliseconds)


def _message(turn: Turn) -> ingest_pb.NewMessage:
    message = ingest_pb.NewMessage(role=turn.role, content=turn.content, speaker=turn.speaker)
    message.said_at.FromDatetime(turn.time)
    return message


def returned_text(hit: vector_pb.SearchHit) -> str:
    """What a reader needs of a hit among messages: who said it, and what, of a long one the
    passage that fits."""
    said_by = f"{hit.message.speaker}: " if hit.message.speaker else ""
    said = hit.passage.content if hit.HasField("passage") else hit.message.content
    return said_by + said
