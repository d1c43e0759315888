# Written by tools/sync_client.py from _async/files.py: change that file, not this one.
"""Files: sent and received in pieces."""

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from mnema.client._convert.files import document_of
from mnema.client._convert.json_values import struct_of
from mnema.client._convert.names import texts
from mnema.client._convert.recall import file_results
from mnema.client._pieces import PartFile, Pieces
from mnema.client._sync.calls import Caller, take
from mnema.client._sync.transport import in_thread
from mnema.client.errors import MnemaError
from mnema.client.models import Document
from mnema.client.results import SearchHit, SearchResults
from mnema.v1 import file_service_pb2 as pb
from mnema.v1.file_service_pb2_grpc import FileServiceStub

DocumentList = list[Document]  # inside the class `list` is a method
Texts = str | Sequence[str] | None
TRANSFER_SECONDS = 120.0  # the least timeout of an upload or a download


class Files:
    """Files, kept as they are and searchable by what stands in them: `nm.files`."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def upload(
        self,
        user_id: str,
        filename: str,
        file_data: bytes | str | os.PathLike[str] | BinaryIO,
        category: str | None = None,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        *,
        mime_type: str | None = None,
    ) -> Document:
        """Uploads a file of up to 32 MiB, in pieces of 256 KiB.

        Its text can be found by its words when this returns, by its meaning some moments later.
        Takes up to 120 s, or the client's timeout if that is longer.

        Args:
            user_id: whose it is.
            filename: 1 to 512 characters. Two files may have the same name.
            file_data: the bytes, the path of a file, or a binary file object, which is read
                from where it stands. One that can't seek is sent without retries.
            category: your sorting: at most 128 characters. Default: "general".
            tags: words to find it by: at most 64, each at most 64 characters.
            metadata: your own data about it: JSON of at most 16 KiB.
            mime_type: its media type. Default: found from its bytes and its name.

        Raises:
            InvalidArgument: with the reason FILE_EMPTY, FILE_TOO_LARGE, FILE_TYPE_UNSUPPORTED,
                FILE_BROKEN or FILE_ENCRYPTED; nothing is kept then.
            OSError: the file can't be read.

        Example:
            with Mnema() as nm:
                doc = nm.files.upload("alice", "report.pdf", Path("report.pdf"))
                print(doc.file_type, doc.chunk_count)
        """
        pieces = Pieces(file_data)
        file = pb.NewFile(
            user_id=user_id,
            filename=filename,
            mime_type=mime_type or "",
            category=category or "",
            tags=texts(tags),
            metadata=struct_of(metadata),
            request_id=pieces.request_id,
            size_bytes=pieces.size or 0,
        )
        caller = self._caller.at_least(TRANSFER_SECONDS)
        stub = caller.stub(FileServiceStub)
        stream = partial(self._parts, file, pieces)
        try:
            response = caller.upload(stub.UploadFile, stream, pieces.repeatable)
        except MnemaError:
            if pieces.failure is not None:
                raise pieces.failure from None
            raise
        return document_of(response.file)

    def _parts(self, file: pb.NewFile, pieces: Pieces) -> Generator[pb.UploadFileRequest]:
        yield pb.UploadFileRequest(file=file)
        try:
            handle = in_thread(pieces.open)
            try:
                while piece := in_thread(pieces.read, handle):
                    yield pb.UploadFileRequest(chunk=piece)
            finally:
                pieces.close(handle)
        except Exception as failure:  # whatever the caller's file object may raise
            # Ending the stream here could pass for a shorter file. A second description is
            # refused, so nothing is kept, and the caller gets the failure itself.
            pieces.failure = failure
            yield pb.UploadFileRequest(file=file)

    def create_from_text(
        self,
        user_id: str,
        title: str,
        content: str,
        category: str | None = None,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Document:
        """Makes a file from text: 1 to 1,000,000 characters. Other arguments as for `upload`."""
        stub = self._caller.stub(FileServiceStub)
        request = pb.CreateFileFromTextRequest(
            user_id=user_id,
            title=title,
            content=content,
            category=category or "",
            tags=texts(tags),
            metadata=struct_of(metadata),
        )
        return document_of((self._caller.write(stub.CreateFileFromText, request)).file)

    def get(self, user_id: str, file_id: str) -> Document:
        """Gets what is known of a file.

        Raises:
            NotFound: the user has none of that id.
        """
        stub = self._caller.stub(FileServiceStub)
        request = pb.GetFileRequest(user_id=user_id, file_id=file_id)
        return document_of((self._caller.read(stub.GetFile, request)).file)

    def list(
        self,
        user_id: str,
        category: str | None = None,
        tags: Texts = None,
        file_types: Texts = None,
        limit: int = 50,
    ) -> DocumentList:
        """Lists files, the newest first.

        Args:
            user_id: whose they are.
            category: only those of this category.
            tags: only those that carry all of these.
            file_types: only those of these types: "pdf", "md", …
            limit: how many at most.
        """
        return take(self._files(user_id, category, tags, file_types, limit), limit)

    def iter(
        self,
        user_id: str,
        category: str | None = None,
        tags: Texts = None,
        file_types: Texts = None,
    ) -> Generator[Document]:
        """Iterates over all files that `list` would list."""
        return self._files(user_id, category, tags, file_types, None)

    def _files(
        self,
        user_id: str,
        category: str | None,
        tags: Texts,
        file_types: Texts,
        limit: int | None,
    ) -> Generator[Document]:
        stub = self._caller.stub(FileServiceStub)
        request = pb.ListFilesRequest(
            user_id=user_id,
            category=category or "",
            tags=texts(tags),
            file_types=texts(file_types),
        )
        for page in self._caller.pages(stub.ListFiles, request, limit):
            for file in page.files:
                yield document_of(file)

    def download(self, user_id: str, file_id: str) -> bytes:
        """Gets a file's bytes as they were uploaded.

        Raises:
            NotFound: the user has none of that id.
        """
        received = bytearray()
        with closing(self.iter_download(user_id, file_id)) as pieces:
            for piece in pieces:
                received += piece
        return bytes(received)

    def download_to(self, user_id: str, file_id: str, path: str | os.PathLike[str]) -> Path:
        """Writes a file's bytes to `path`, which is there whole or not at all.

        Raises:
            NotFound: the user has none of that id.
            OSError: the path can't be written.
        """
        target = in_thread(PartFile.beside, Path(path))
        try:
            with closing(self.iter_download(user_id, file_id)) as pieces:
                for piece in pieces:
                    in_thread(target.write, piece)
            return in_thread(target.keep)
        finally:
            in_thread(target.discard)

    def iter_download(self, user_id: str, file_id: str) -> Generator[bytes]:
        """Iterates over a file's bytes in pieces, as they come."""
        caller = self._caller.at_least(TRANSFER_SECONDS)
        stub = caller.stub(FileServiceStub)
        request = pb.DownloadFileRequest(user_id=user_id, file_id=file_id)
        with closing(caller.download(stub.DownloadFile, request)) as answers:
            for answer in answers:
                yield answer.data

    def get_presigned_url(self, user_id: str, file_id: str, expires_in: int = 3600) -> str:
        """Makes a link by which anyone may download a file's bytes, without an API key.

        Args:
            user_id: whose it is.
            file_id: which file.
            expires_in: how long the link works, in seconds: 1 to 604,800 (7 days).

        Raises:
            NotFound: the user has none of that id.
            FailedPrecondition: the server does not know its public address.

        Example:
            url = nm.files.get_presigned_url("alice", doc.id, expires_in=600)
        """
        stub = self._caller.stub(FileServiceStub)
        request = pb.GetDownloadUrlRequest(user_id=user_id, file_id=file_id)
        request.expires_in.FromSeconds(expires_in)
        return (self._caller.read(stub.GetDownloadUrl, request)).url

    def delete(self, user_id: str, file_id: str) -> bool:
        """Deletes a file: its bytes, its text and its chunks; whether it was there."""
        stub = self._caller.stub(FileServiceStub)
        request = pb.DeleteFileRequest(user_id=user_id, file_id=file_id)
        return (self._caller.once(stub.DeleteFile, request)).deleted

    def search(
        self,
        user_id: str,
        query: str,
        limit: int = 5,
        file_types: Texts = None,
        category: str | None = None,
    ) -> SearchResults[SearchHit]:
        """Finds the pieces of files that fit a query best, by words and by meaning.

        Args:
            user_id: whose files are searched.
            query: what is looked for: 1 to 8,192 characters.
            limit: how many at most: 1 to 200.
            file_types: only files of these types.
            category: only files of this category.

        Returns:
            Dicts with file_id, filename, position, content, page, line, paragraph, start_offset,
            end_offset and score (0 to 1), the best first. `degraded` is True if only words could
            be searched.
        """
        stub = self._caller.stub(FileServiceStub)
        request = pb.SearchFilesRequest(
            user_id=user_id,
            query=query,
            limit=limit,
            file_types=texts(file_types),
            category=category or "",
        )
        return file_results(self._caller.read(stub.SearchFiles, request))
