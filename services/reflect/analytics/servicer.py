"""The gRPC face of analytics."""

from google.protobuf.message import Message
from grpc import aio

from mnema.v1 import analytics_service_pb2 as pb
from mnema.v1.analytics_service_pb2_grpc import AnalyticsServiceServicer
from services.contract.user import User
from services.reflect.analytics.convert import (
    Stats,
    as_of_of,
    cold_cursor,
    cold_place,
    cold_response,
    entity_response,
    stats_response,
)
from services.reflect.analytics.entities import Asked, entity_profile
from services.runtime.database import Database
from services.runtime.errors import invalid
from services.runtime.paging import PageTokens, page_size
from services.storage import analytics
from services.storage.digests import get_emotion_profile
from services.storage.extractions import count_waiting
from services.storage.key_values import PROFILE, list_values
from services.storage.memory_accesses import list_accesses
from services.storage.search_items import count_unembedded

Context = aio.ServicerContext[Message, Message]
DEFAULT_WEEKS = 12
DEFAULT_DAYS = 90
DEFAULT_LIMIT = 20
MOST_PROFILE_KEYS = 1_000


class AnalyticsServicer(AnalyticsServiceServicer):
    """Looks at a memory as a whole; the contract's comments say what each call does."""

    def __init__(self, database: Database, tokens: PageTokens) -> None:
        self._database = database
        self._tokens = tokens

    async def GetStats(self, request: pb.GetStatsRequest, context: Context) -> pb.GetStatsResponse:
        user = User.served(request.user_id)
        owner_id, as_of = user.owner_id, as_of_of(request)
        weeks = request.weeks or DEFAULT_WEEKS
        async with self._database.transaction(
            user.scope, readonly=True, isolation="repeatable_read", by_keys=True
        ) as connection:
            values = await list_values(
                connection, owner_id, PROFILE, limit=MOST_PROFILE_KEYS, as_of=as_of
            )
            stats = Stats(
                memories=await analytics.count_memories(connection, owner_id, weeks, as_of),
                others=await analytics.count_others(connection, owner_id, as_of),
                waiting=await count_waiting(connection, owner_id),
                unembedded=await count_unembedded(connection, owner_id),
                profile={row.key: row.value for row in values},
                emotions=await get_emotion_profile(connection, owner_id, as_of),
            )
        return stats_response(stats)

    async def ListColdMemories(
        self, request: pb.ListColdMemoriesRequest, context: Context
    ) -> pb.ListColdMemoriesResponse:
        user = User.served(request.user_id)
        size = page_size(request.page_size)
        after = cold_place(self._tokens.decode(request))
        days = request.threshold_days if request.HasField("threshold_days") else DEFAULT_DAYS
        async with self._database.transaction(
            user.scope, readonly=True, by_keys=True
        ) as connection:
            rows = await analytics.list_cold(connection, user.owner_id, days, size + 1, after)
        token = ""
        if len(rows) > size:
            token = self._tokens.encode(cold_cursor(rows[size - 1]), request)
        return cold_response(rows[:size], request.user_id, token)

    async def GetEntityProfile(
        self, request: pb.GetEntityProfileRequest, context: Context
    ) -> pb.GetEntityProfileResponse:
        user = User.served(request.user_id)
        if not request.entity.strip():
            raise invalid("entity", "is required", "FIELD_REQUIRED")
        asked = Asked(request.entity, request.limit or DEFAULT_LIMIT, as_of_of(request))
        async with self._database.transaction(
            user.scope, readonly=True, isolation="repeatable_read", by_keys=True
        ) as connection:
            profile = await entity_profile(connection, user.owner_id, asked)
            accesses = await list_accesses(
                connection, user.owner_id, [row.memory_id for row in profile.facts]
            )
        return entity_response(profile, accesses, request.user_id)
