"""Thinking over what is remembered."""

from datetime import datetime
from functools import partial
from typing import Literal, overload

from mnema.client._async.calls import AsyncCaller
from mnema.client._convert.recall import digest_result, emotion_profile
from mnema.client._convert.times import timestamp_of
from mnema.client.results import DigestResult, EmotionProfile
from mnema.v1 import reflect_service_pb2 as pb
from mnema.v1.reflect_service_pb2_grpc import ReflectServiceStub

DIGEST_SECONDS = 120.0  # the least timeout of a digest: an LLM may think that long


class AsyncReflection:
    """The part of the client that reflects."""

    _caller: AsyncCaller

    @overload
    async def digest(
        self, user_id: str, batch_size: int = 50, background: Literal[False] = False
    ) -> DigestResult: ...

    @overload
    async def digest(
        self, user_id: str, batch_size: int = 50, *, background: Literal[True]
    ) -> None: ...

    async def digest(
        self, user_id: str, batch_size: int = 50, background: bool = False
    ) -> DigestResult | None:
        """Draws insights from the memories that are new since the last digest.

        Updates the emotion profile too. Without new memories it adds nothing. Takes up to
        120 s, or the client's timeout if that is longer.

        Args:
            user_id: whose memories are digested.
            batch_size: how many new memories are read at most: 1 to 200.
            background: returns None at once; the digest goes on beside. Closing the client
                waits for it; a failure goes to the log "mnema.client".

        Returns:
            A dict of insights_generated, insights, emotion_profile and memories_analyzed.

        Raises:
            Unavailable: an LLM is set up and fails; nothing is stored then.
        """
        if background:
            work = partial(self._digest, user_id, batch_size)
            self._caller.connection.background.start(work, f"digest of {user_id}")
            return None
        return await self._digest(user_id, batch_size)

    async def _digest(self, user_id: str, batch_size: int) -> DigestResult:
        caller = self._caller.at_least(DIGEST_SECONDS)
        stub = caller.stub(ReflectServiceStub)
        request = pb.DigestRequest(user_id=user_id, batch_size=batch_size)
        return digest_result(await caller.write(stub.Digest, request))

    async def emotion_profile(
        self, user_id: str, *, as_of: datetime | None = None
    ) -> EmotionProfile:
        """Gets the emotion profile, as it stood at `as_of`; empty before the first digest."""
        stub = self._caller.stub(ReflectServiceStub)
        request = pb.GetEmotionProfileRequest(user_id=user_id, as_of=timestamp_of(as_of))
        response = await self._caller.read(stub.GetEmotionProfile, request)
        return emotion_profile(response.emotion_profile)
