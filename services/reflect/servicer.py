"""The gRPC face of reflect."""

from google.protobuf.message import Message
from grpc import aio

from mnema.v1 import reflect_service_pb2 as pb
from mnema.v1 import reflect_service_pb2_grpc
from services.contract.convert_graph import moment_of
from services.contract.user import User
from services.reflect.convert import digest_response, profile_message
from services.reflect.digest import Digester
from services.runtime.database import Connection, Database
from services.storage import digests
from services.storage.requests import answered, once

Context = aio.ServicerContext[Message, Message]
DEFAULT_BATCH = 50


class ReflectServicer(reflect_service_pb2_grpc.ReflectServiceServicer):
    """Digests and the emotion profile; the contract's comments say what each call does."""

    def __init__(self, database: Database, digester: Digester) -> None:
        self._database = database
        self._digester = digester

    async def Digest(self, request: pb.DigestRequest, context: Context) -> pb.DigestResponse:
        user = User.served(request.user_id)
        async with self._database.transaction(user.scope, readonly=True) as connection:
            known = await answered(connection, user.owner_id, request, pb.DigestResponse)
        if known is not None:
            return known
        thought = await self._digester.think(user, request.batch_size or DEFAULT_BATCH)

        async def store(connection: Connection) -> pb.DigestResponse:
            async def write() -> pb.DigestResponse:
                return digest_response(await self._digester.store(connection, user, thought))

            return await once(connection, user.owner_id, request, pb.DigestResponse, write)

        return await self._database.run(user.scope, store)

    async def GetEmotionProfile(
        self, request: pb.GetEmotionProfileRequest, context: Context
    ) -> pb.GetEmotionProfileResponse:
        user = User.served(request.user_id)
        async with self._database.transaction(user.scope, readonly=True) as connection:
            profile = await digests.get_emotion_profile(
                connection, user.owner_id, moment_of(request, "as_of")
            )
        return pb.GetEmotionProfileResponse(emotion_profile=profile_message(profile))
