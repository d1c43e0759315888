"""FileService over gRPC."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from uuid import UUID

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio

from mnema.v1 import file_service_pb2 as pb
from mnema.v1.file_service_pb2_grpc import FileServiceServicer
from services.contract.stored_object import StoredObject
from services.contract.user import User
from services.files.convert import (
    cursor_of,
    description_of,
    file_hit,
    file_message,
    filter_of,
    place_of,
    search_request,
)
from services.files.download import Downloads, Owner, content_type_of, safe_headers
from services.files.intake import Intake
from services.files.limits import FileLimits
from services.files.links import Links
from services.files.presigning import Presigning
from services.files.upload import Turns, UploadStream
from services.providers.objects.storage import DEFAULT_URL_SECONDS
from services.runtime.channels import call_timeout
from services.runtime.database import Connection, Database
from services.runtime.errors import NotFound
from services.runtime.paging import PageTokens, page_size
from services.storage import jobs
from services.storage.documents import (
    DocumentRow,
    erase_document,
    get_document,
    list_documents,
)

if TYPE_CHECKING:  # in the stubs' types only
    from mnema.v1.vector_service_pb2_grpc import VectorServiceAsyncStub

Context = aio.ServicerContext[Message, Message]

_SEARCH_SECONDS = 15.0


class FileServicer(FileServiceServicer):
    """Files; the contract's comments say what each call does."""

    def __init__(
        self,
        database: Database,
        intake: Intake,
        downloads: Downloads,
        links: Links,
        presigning: Presigning,
        vector: "VectorServiceAsyncStub",
        tokens: PageTokens,
        limits: FileLimits,
    ) -> None:
        self._database = database
        self._intake = intake
        self._downloads = downloads
        self._links = links
        self._presigning = presigning
        self._vector = vector
        self._tokens = tokens
        self._limits = limits
        self._turns = Turns(limits)

    async def UploadFile(
        self, request_iterator: AsyncIterator[pb.UploadFileRequest], context: Context
    ) -> pb.UploadFileResponse:
        stream = UploadStream(request_iterator, piece_seconds=self._limits.piece_seconds)
        new = await stream.description()
        owner, described = User.served(new.user_id), description_of(new)
        async with self._turns.one():
            data = await stream.content(new)
            file = await self._intake.take_bytes(owner, described, data)
        return pb.UploadFileResponse(file=file)

    async def CreateFile(
        self, request: pb.CreateFileRequest, context: Context
    ) -> pb.CreateFileResponse:
        owner, described = User.served(request.user_id), description_of(request)
        async with self._turns.one():
            file = await self._intake.take_bytes(owner, described, request.file_data)
        return pb.CreateFileResponse(file=file)

    async def CreateFileFromText(
        self, request: pb.CreateFileFromTextRequest, context: Context
    ) -> pb.CreateFileFromTextResponse:
        owner, described = User.served(request.user_id), description_of(request)
        async with self._turns.one():
            file = await self._intake.take_text(owner, described, request.content)
        return pb.CreateFileFromTextResponse(file=file)

    async def GetFile(self, request: pb.GetFileRequest, context: Context) -> pb.GetFileResponse:
        row = await self._document(User.served(request.user_id), request.file_id)
        return pb.GetFileResponse(file=file_message(row, request.user_id))

    async def ListFiles(
        self, request: pb.ListFilesRequest, context: Context
    ) -> pb.ListFilesResponse:
        owner = User.served(request.user_id)
        size = page_size(request.page_size)
        after = place_of(self._tokens.decode(request))
        async with self._database.transaction(owner.scope, readonly=True) as connection:
            rows = await list_documents(
                connection, owner.owner_id, filter_of(request), after=after, limit=size + 1
            )
        answer = pb.ListFilesResponse(
            files=[file_message(row, owner.user_id) for row in rows[:size]]
        )
        if len(rows) > size:
            answer.next_page_token = self._tokens.encode(cursor_of(rows[size - 1]), request)
        return answer

    async def DownloadFile(
        self, request: pb.DownloadFileRequest, context: Context
    ) -> AsyncIterator[HttpBody]:
        owner = User.served(request.user_id)
        document = await self._document(owner, request.file_id)
        content_type = content_type_of(document)
        async for piece in self._downloads.pieces(owner, document):
            yield HttpBody(content_type=content_type, data=piece)
            content_type = ""  # said once

    async def GetDownloadUrl(
        self, request: pb.GetDownloadUrlRequest, context: Context
    ) -> pb.GetDownloadUrlResponse:
        owner = User.served(request.user_id)
        document = await self._document(owner, request.file_id)
        given = request.HasField("expires_in")
        seconds = request.expires_in.seconds if given else DEFAULT_URL_SECONDS
        url, expires = await self._presigning.url(owner, document, seconds)
        return pb.GetDownloadUrlResponse(url=url, expires_at=Timestamp(seconds=expires))

    async def DownloadByLink(
        self, request: pb.DownloadByLinkRequest, context: Context
    ) -> AsyncIterator[HttpBody]:
        link = self._links.read(request.token)
        document = await self._found(link, link.file_id)
        await context.send_initial_metadata(safe_headers(document))
        content_type = content_type_of(document)
        async for piece in self._downloads.pieces(link, document):
            yield HttpBody(content_type=content_type, data=piece)
            content_type = ""

    async def DeleteFile(
        self, request: pb.DeleteFileRequest, context: Context
    ) -> pb.DeleteFileResponse:
        owner, file_id = User.served(request.user_id), UUID(request.file_id)

        async def erase(connection: Connection) -> bool:
            object_key = await erase_document(connection, owner.owner_id, file_id)
            if object_key:
                stored = StoredObject(owner, file_id, object_key)
                await jobs.enqueue(connection, jobs.DELETE_OBJECT, stored.payload())
            return object_key is not None

        return pb.DeleteFileResponse(deleted=await self._database.run(owner.scope, erase))

    async def SearchFiles(
        self, request: pb.SearchFilesRequest, context: Context
    ) -> pb.SearchFilesResponse:
        User.served(request.user_id)
        found = await self._vector.Search(
            search_request(request), timeout=call_timeout(_SEARCH_SECONDS)
        )
        return pb.SearchFilesResponse(
            hits=[file_hit(hit) for hit in found.hits], degraded=found.degraded
        )

    async def _document(self, owner: User, file_id: str) -> DocumentRow:
        return await self._found(owner, UUID(file_id))

    async def _found(self, owner: Owner, file_id: UUID) -> DocumentRow:
        async with self._database.transaction(owner.scope, readonly=True) as connection:
            row = await get_document(connection, owner.owner_id, file_id)
        if row is None:
            raise NotFound("file", str(file_id))
        return row
