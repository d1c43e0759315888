"""Thinking over what is remembered."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Literal, overload

from mnema.client._async.calls import AsyncCaller, take
from mnema.client._convert.names import DIGEST_STATES
from mnema.client._convert.recall import digest_of, digest_result, emotion_profile
from mnema.client._convert.times import timestamp_of
from mnema.client.digests import Digest
from mnema.client.results import DigestResult, EmotionProfile
from mnema.v1 import reflect_service_pb2 as pb
from mnema.v1.reflect_service_pb2_grpc import ReflectServiceStub

DIGEST_SECONDS = 300.0  # the least timeout of a digest: an LLM may think that long


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

    @overload
    async def digest(
        self, user_id: str, batch_size: int = 50, background: bool = False
    ) -> DigestResult | None: ...

    async def digest(
        self, user_id: str, batch_size: int = 50, background: bool = False
    ) -> DigestResult | None:
        """Draws insights from the memories that are new since the last digest.

        Updates the emotion profile too. Without new memories it adds nothing. Takes up to
        300 s, or the client's timeout if that is longer.

        Args:
            user_id: whose memories are digested.
            batch_size: how many new memories are read at most: 1 to 200.
            background: has a worker make the digest, and returns None at once. Use
                `start_digest` to watch it; `list_digests` has it too.

        Returns:
            A dict of insights_generated, insights, emotion_profile, memories_analyzed and
            digest_id.

        Raises:
            Unavailable: an LLM is set up and fails; nothing is stored then.
        """
        if background:
            await self.start_digest(user_id, batch_size)
            return None
        caller = self._caller.at_least(DIGEST_SECONDS)
        stub = caller.stub(ReflectServiceStub)
        request = pb.DigestRequest(user_id=user_id, batch_size=batch_size)
        response = await caller.write(stub.Digest, request)
        return digest_result(response)

    async def start_digest(
        self, user_id: str, batch_size: int = 50, *, request_id: str | None = None
    ) -> str:
        """Has a worker make a digest, which is tried again while an LLM fails.

        Args:
            user_id: whose memories are digested.
            batch_size: how many new memories are read at most: 1 to 200.
            request_id: a UUID that makes your own retries harmless.

        Returns:
            The digest's id, for `get_digest`.

        Example:
            async with AsyncMnema() as nm:
                digest_id = await nm.start_digest("alice")
                print((await nm.get_digest("alice", digest_id)).state)
        """
        stub = self._caller.stub(ReflectServiceStub)
        request = pb.DigestRequest(
            user_id=user_id, batch_size=batch_size, background=True, request_id=request_id or ""
        )
        return (await self._caller.write(stub.Digest, request)).digest_id

    async def get_digest(self, user_id: str, digest_id: str) -> Digest:
        """Gets a digest: how far it is, and its result once it is done.

        Raises:
            NotFound: the user has none of that id.
        """
        stub = self._caller.stub(ReflectServiceStub)
        request = pb.GetDigestRequest(user_id=user_id, digest_id=digest_id)
        return digest_of((await self._caller.read(stub.GetDigest, request)).digest, result=True)

    async def list_digests(
        self, user_id: str, state: str | None = None, limit: int = 50
    ) -> list[Digest]:
        """Lists a user's digests, the newest first, without their results.

        Args:
            user_id: the user asked about.
            state: only those "pending", "running", "done" or "failed".
            limit: how many at most.
        """
        return await take(self._digests(user_id, state, limit), limit)

    async def _digests(self, user_id: str, state: str | None, limit: int) -> AsyncGenerator[Digest]:
        request = pb.ListDigestsRequest(user_id=user_id)
        if state is not None:
            request.state = DIGEST_STATES.number(state)
        stub = self._caller.stub(ReflectServiceStub)
        async for page in self._caller.pages(stub.ListDigests, request, limit):
            for digest in page.digests:
                yield digest_of(digest, result=False)

    async def emotion_profile(
        self, user_id: str, *, as_of: datetime | None = None
    ) -> EmotionProfile:
        """Gets the emotion profile, as it stood at `as_of`; empty before the first digest."""
        stub = self._caller.stub(ReflectServiceStub)
        request = pb.GetEmotionProfileRequest(user_id=user_id, as_of=timestamp_of(as_of))
        response = await self._caller.read(stub.GetEmotionProfile, request)
        return emotion_profile(response.emotion_profile)
