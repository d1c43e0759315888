"""The arms of a recall: asked side by side, each with its time; a failed one is left out."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import grpc
import structlog

from mnema.v1 import graph_service_pb2 as graph_pb
from mnema.v1 import recall_service_pb2 as pb
from mnema.v1 import vector_service_pb2 as vector_pb
from mnema.v1.graph_service_pb2_grpc import GraphServiceStub
from mnema.v1.vector_service_pb2_grpc import VectorServiceStub
from services.contract.convert_message import datetime_of
from services.contract.user import User
from services.recall.fact_times import asks_for_times
from services.recall.profile import Standing, read_standing
from services.runtime.channels import call_timeout
from services.runtime.config import OptionSettings, RecallSettings
from services.runtime.database import Database
from services.runtime.errors import DeadlineExceeded, MnemaError, Unavailable

if TYPE_CHECKING:  # the names exist in the stubs' types alone
    from mnema.v1.graph_service_pb2_grpc import GraphServiceAsyncStub
    from mnema.v1.vector_service_pb2_grpc import VectorServiceAsyncStub

log = structlog.get_logger("mnema.recall")

DEFAULT_LIMIT = 20
MOST_HITS = 200
MOMENTS: Final = (
    "created_after",
    "created_before",
    "event_after",
    "event_before",
    "as_of",
    "asked_at",
)
# What the caller did wrong, and no other arm makes right: the answer is the error.
CALLERS_FAULT = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.NOT_FOUND,
    }
)
Answer = TypeVar("Answer")


@dataclass(slots=True)
class Found:
    """What the arms brought; `missing` names those that brought nothing, and why.

    `profile` is the user's by key, `ranking` the profile that the hits were ranked by.
    """

    hits: list[vector_pb.SearchHit] = field(default_factory=list)
    facts: list[graph_pb.GraphFact] = field(default_factory=list)
    profile: Mapping[str, Any] = field(default_factory=dict)
    ranking: vector_pb.RankingProfile | None = None
    missing: list[pb.DegradedArm] = field(default_factory=list)


class Arms:
    """Asks the vector and graph services, and reads the profile."""

    def __init__(
        self,
        vector: grpc.aio.Channel,
        graph: grpc.aio.Channel,
        database: Database,
        settings: RecallSettings,
        server: OptionSettings,
    ) -> None:
        self._vector: VectorServiceAsyncStub = VectorServiceStub(vector)
        self._graph: GraphServiceAsyncStub = GraphServiceStub(graph)
        self._database = database
        self._settings = settings
        self._server = server

    async def ask(self, request: pb.RecallRequest, user: User) -> Found:
        """Everything that could be found in time.

        Raises AioRpcError for what the caller did wrong, and Unavailable when neither
        memories nor the graph could be searched.
        """
        found = Found()
        standing = asyncio.ensure_future(self._read_standing(request, user))
        hits, facts, known = await asyncio.gather(
            _left_out(self._search(request), "vector", found),
            _left_out(self._find_facts(request, standing), "graph", found),
            _left_out(standing, "profile", found),
        )
        if hits is None and facts is None:
            reasons = "; ".join(f"{arm.arm}: {arm.reason}" for arm in found.missing)
            raise Unavailable(f"nothing can be searched ({reasons})", retry_after=1.0)
        if hits is not None:
            found.hits.extend(hits.hits)
            found.ranking = hits.profile
            found.missing.extend(
                pb.DegradedArm(arm=part, reason=hits.degraded_reason)
                for part in hits.degraded_parts
            )
        if facts is not None:
            found.facts.extend(facts.facts)
        if known is not None:
            found.profile = known.profile
        return found

    async def _search(self, request: pb.RecallRequest) -> vector_pb.SearchResponse:
        kinds = [vector_pb.ITEM_KIND_MEMORY]
        limit = request.limit or DEFAULT_LIMIT
        if request.include_conversations:
            # One search ranks both on one scale, and embeds the query once.
            kinds.append(vector_pb.ITEM_KIND_MESSAGE)
            limit = min(3 * limit, MOST_HITS)
        search = vector_pb.SearchRequest(
            user_id=request.user_id,
            query=request.query,
            query_embedding=request.query_embedding,
            query_embedding_model=request.query_embedding_model,
            limit=limit,
            kinds=kinds,
            memory_types=request.memory_types,
            ranking_profile=request.ranking_profile,
            time_zone=request.time_zone,
            explain=request.explain,
            rerank=request.rerank,
        )
        for name in MOMENTS:
            if request.HasField(name):
                getattr(search, name).CopyFrom(getattr(request, name))
        timeout = call_timeout(self._settings.vector_timeout_seconds)
        return await self._vector.Search(search, timeout=timeout)

    async def _find_facts(
        self, request: pb.RecallRequest, standing: "asyncio.Future[Standing]"
    ) -> graph_pb.FindFactsResponse | None:
        """None if the user's settings leave the graph out."""
        await asyncio.wait({standing})
        # Where they can't be read, what the database has to say of facts will tell.
        unknown = standing.cancelled() or standing.exception() is not None
        if not unknown and not standing.result().chosen.over(self._server).graph_enabled:
            return None
        # What the times leave out is left out here: the graph is asked for all that it may say.
        limit = MOST_HITS if asks_for_times(request) else request.limit or DEFAULT_LIMIT
        find = graph_pb.FindFactsRequest(user_id=request.user_id, query=request.query, limit=limit)
        if request.HasField("as_of"):
            find.as_of.CopyFrom(request.as_of)
        timeout = call_timeout(self._settings.graph_timeout_seconds)
        return await self._graph.FindFacts(find, timeout=timeout)

    async def _read_standing(self, request: pb.RecallRequest, user: User) -> Standing:
        as_of = datetime_of(request.as_of) if request.HasField("as_of") else None
        try:
            async with asyncio.timeout(call_timeout(self._settings.profile_timeout_seconds)):
                return await read_standing(self._database, user, as_of)
        except TimeoutError as error:
            raise DeadlineExceeded("the database took too long") from error


async def _left_out(call: Awaitable[Answer], arm: str, found: Found) -> Answer | None:
    """The arm's answer, or None with a word about why there is none."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        if error.code() in CALLERS_FAULT:
            raise
        reason = f"{error.code().name}: {error.details()}"
    except MnemaError as error:
        reason = f"{error.code.name}: {error.message}"
    except Exception:  # what a service of its own would have answered as INTERNAL
        log.exception("an arm failed", arm=arm)
        reason = "INTERNAL: it could not be read"
    log.warning("arm left out", arm=arm, reason=reason)
    found.missing.append(pb.DegradedArm(arm=arm, reason=reason))
    return None
