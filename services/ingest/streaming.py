"""A stream of messages: what has arrived is committed together, then acknowledged in its order."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

from mnema.v1.ingest_service_pb2 import IngestStreamRequest, IngestStreamResponse
from services.contract.convert_message import timestamp_of
from services.contract.user import User
from services.ingest import convert
from services.ingest.arrivals import Arrivals, Group
from services.ingest.intake import in_sessions
from services.ingest.storing import OF_ONE_MESSAGE, Analyzed, MessageStore
from services.runtime.errors import MnemaError
from services.runtime.ids import new_id
from services.storage.messages import MessageRow
from services.text.analysis import analyze_all

Answers = list[IngestStreamResponse]


class MessageStreams:
    """Takes in streams; `close` ends those that run, behind what has arrived."""

    def __init__(self, storage: MessageStore) -> None:
        self._storage = storage
        self._open: set[Arrivals] = set()

    async def close(self) -> None:
        """Ends every stream: what has arrived is stored and acknowledged, then Unavailable."""
        for arrivals in self._open:
            arrivals.stop()

    async def take(
        self, requests: AsyncIterator[IngestStreamRequest]
    ) -> AsyncGenerator[IngestStreamResponse]:
        """An answer for each request, in their order, once its transaction has committed.

        The first message that can't be stored ends it: its error, with the message's "index"
        in the metadata, comes behind the answers to all before it.
        """
        session_id = str(new_id())  # of the messages that name none
        async with Arrivals(requests) as arrivals:
            self._open.add(arrivals)
            try:
                async with aclosing(arrivals.groups()) as groups:
                    async for group in groups:
                        async with aclosing(self._answers(group, session_id)) as answers:
                            async for answer in answers:
                                yield answer
            finally:
                self._open.discard(arrivals)

    async def _answers(self, group: Group, session_id: str) -> AsyncGenerator[IngestStreamResponse]:
        """The group's answers; where one message spoils it, those of the messages before it."""
        at = group.first
        try:
            user = User.served(group.requests[0].user_id)
            try:
                answers = await self._store(user, group.requests, session_id)
            except OF_ONE_MESSAGE:
                if len(group.requests) == 1:
                    raise
                for request in group.requests:
                    (answer,) = await self._store(user, [request], session_id)
                    yield answer
                    at += 1
                return
        except MnemaError as error:
            error.metadata["index"] = str(at)
            raise
        for answer in answers:
            yield answer

    async def _store(
        self, user: User, requests: Sequence[IngestStreamRequest], session_id: str
    ) -> Answers:
        """Stores the messages in one transaction, each once for its request_id."""
        said = in_sessions([convert.said_of(each) for each in requests], session_id)
        units = await analyze_all([each.content for each in said])
        messages = [Analyzed(*each) for each in zip(said, units, strict=True)]
        return await self._storage.store(user, requests, messages, IngestStreamResponse, _answer)


def _answer(row: MessageRow, request: IngestStreamRequest) -> IngestStreamResponse:
    return IngestStreamResponse(
        message_id=str(row.message_id),
        session_id=row.session_id,
        sequence=row.sequence,
        created_at=timestamp_of(row.recorded_at),
        request_id=request.request_id,
    )
