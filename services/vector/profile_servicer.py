"""The part of VectorService that keeps ranking profiles."""

from google.protobuf.message import Message
from grpc import aio

from mnema.v1 import vector_service_pb2 as pb
from mnema.v1.vector_service_pb2_grpc import VectorServiceServicer
from services.runtime import context as request_context
from services.runtime.scope import Scope
from services.vector.convert_profile import profile_message, profile_of
from services.vector.profiles import Known, Profiles

Context = aio.ServicerContext[Message, Message]


class ProfileServicer(VectorServiceServicer):
    """Every key of a tenant reads its profiles; those that reach the whole tenant change them."""

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles

    async def ListRankingProfiles(
        self, request: pb.ListRankingProfilesRequest, context: Context
    ) -> pb.ListRankingProfilesResponse:
        found = await self._profiles.list_all(_reading())
        return pb.ListRankingProfilesResponse(profiles=map(shown, found))

    async def GetRankingProfile(
        self, request: pb.GetRankingProfileRequest, context: Context
    ) -> pb.GetRankingProfileResponse:
        found = await self._profiles.get(_reading(), request.name)
        return pb.GetRankingProfileResponse(profile=shown(found))

    async def PutRankingProfile(
        self, request: pb.PutRankingProfileRequest, context: Context
    ) -> pb.PutRankingProfileResponse:
        scope = request_context.tenant_scope()
        stored = await self._profiles.put(scope, profile_of(request.profile))
        return pb.PutRankingProfileResponse(profile=shown(stored))

    async def DeleteRankingProfile(
        self, request: pb.DeleteRankingProfileRequest, context: Context
    ) -> pb.DeleteRankingProfileResponse:
        scope = request_context.tenant_scope()
        deleted = await self._profiles.delete(scope, request.name)
        return pb.DeleteRankingProfileResponse(deleted=deleted)


def shown(known: Known) -> pb.RankingProfile:
    """A profile as the contract shows it."""
    return profile_message(known.profile, known.stored_at)


def _reading() -> Scope:
    """A user's key reads as that user, every other one as its tenant."""
    user_id = request_context.principal().user_id
    if user_id is not None:
        return request_context.user_scope(user_id)
    return request_context.tenant_scope()
