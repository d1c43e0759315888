"""The gRPC face of taking in."""

from collections.abc import AsyncIterator
from uuid import UUID

from google.protobuf.message import Message
from grpc import aio

from mnema.v1 import ingest_service_pb2 as pb
from mnema.v1.ingest_service_pb2_grpc import IngestServiceServicer
from services.contract.convert_message import state_name
from services.contract.user import User
from services.ingest import convert
from services.ingest.company import Company
from services.ingest.intake import in_sessions, take_in
from services.ingest.retries import restart
from services.ingest.storing import Analyzed, MessageStore
from services.ingest.streaming import MessageStreams
from services.ingest.triggers import start_all
from services.runtime.config import ExtractionSettings, OptionSettings
from services.runtime.database import Connection, Database
from services.runtime.paging import PageTokens, page_size
from services.storage.extractions import count_waiting, list_extractions
from services.storage.requests import once
from services.storage.search_items import count_unembedded
from services.text.analysis import analyze_all

Context = aio.ServicerContext[Message, Message]
_DEFAULT_RETRIES = 3


class IngestServicer(IngestServiceServicer):
    """Messages in, and what became of them; the contract's comments say what each call does."""

    def __init__(
        self,
        database: Database,
        settings: ExtractionSettings,
        server: OptionSettings,
        tokens: PageTokens,
    ) -> None:
        self._database = database
        self._settings = settings
        self._server = server
        self._tokens = tokens
        store = MessageStore(database, settings, server)
        self._company = Company(store)
        self._streams = MessageStreams(store)

    async def close(self) -> None:
        """Ends the streams that run: what has arrived is stored and acknowledged."""
        await self._streams.close()

    async def Ingest(self, request: pb.IngestRequest, context: Context) -> pb.IngestResponse:
        user = User.served(request.user_id)
        (message,) = in_sessions([convert.said_of(request)], "")
        (units,) = await analyze_all([request.content])
        return await self._company.take(user, request, Analyzed(message, units))

    async def IngestBatch(
        self, request: pb.IngestBatchRequest, context: Context
    ) -> pb.IngestBatchResponse:
        user = User.served(request.user_id)
        said = [convert.said_of(message) for message in request.messages]
        messages = in_sessions(said, request.session_id)
        terms = await analyze_all([message.content for message in messages])

        async def work(connection: Connection) -> pb.IngestBatchResponse:
            async def write() -> pb.IngestBatchResponse:
                rows = await take_in(
                    connection, user, messages, terms, self._settings, self._server
                )
                return pb.IngestBatchResponse(receipts=map(convert.receipt_of, rows))

            return await once(connection, user.owner_id, request, pb.IngestBatchResponse, write)

        return await self._database.run(user.scope, work)

    def IngestStream(
        self, request_iterator: AsyncIterator[pb.IngestStreamRequest], context: Context
    ) -> AsyncIterator[pb.IngestStreamResponse]:
        return self._streams.take(request_iterator)

    async def GetIngestStatus(
        self, request: pb.GetIngestStatusRequest, context: Context
    ) -> pb.GetIngestStatusResponse:
        user = User.served(request.user_id)
        # One snapshot: what moves from one count to another meanwhile is missing in neither.
        async with self._database.transaction(
            user.scope, readonly=True, isolation="repeatable_read"
        ) as connection:
            waiting = await count_waiting(connection, user.owner_id)
            unembedded = await count_unembedded(connection, user.owner_id)
        return pb.GetIngestStatusResponse(
            pending_messages=waiting.pending_messages,
            running_extractions=waiting.running_extractions,
            failed_extractions=waiting.failed_extractions,
            pending_embeddings=unembedded,
        )

    async def ListExtractions(
        self, request: pb.ListExtractionsRequest, context: Context
    ) -> pb.ListExtractionsResponse:
        user = User.served(request.user_id)
        size = page_size(request.page_size)
        async with self._database.transaction(user.scope, readonly=True) as connection:
            rows = await list_extractions(
                connection,
                user.owner_id,
                state=state_name(request.state),
                session_id=request.session_id,
                after=convert.time_and_id(self._tokens.decode(request)),
                limit=size + 1,
            )
        token = ""
        if len(rows) > size:
            last = rows[size - 1]
            cursor = (last.recorded_at.isoformat(), str(last.extraction_id))
            token = self._tokens.encode(cursor, request)
        return pb.ListExtractionsResponse(
            extractions=map(convert.extraction_of, rows[:size]), next_page_token=token
        )

    async def RetryFailedExtractions(
        self, request: pb.RetryFailedExtractionsRequest, context: Context
    ) -> pb.RetryFailedExtractionsResponse:
        user = User.served(request.user_id)
        chosen = [UUID(extraction_id) for extraction_id in request.extraction_ids]
        started = await restart(
            self._database, user, chosen, request.max_retries or _DEFAULT_RETRIES
        )
        return pb.RetryFailedExtractionsResponse(extraction_ids=map(str, started))

    async def StartExtraction(
        self, request: pb.StartExtractionRequest, context: Context
    ) -> pb.StartExtractionResponse:
        user = User.served(request.user_id)
        started = await start_all(self._database, user, request.session_id)
        return pb.StartExtractionResponse(session_ids=started)
