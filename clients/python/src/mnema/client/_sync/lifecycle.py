# Written by tools/sync_client.py from _async/lifecycle.py: change that file, not this one.
"""The life of all of a user's data."""

import os
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from mnema.client._convert.times import moment_of, optional_moment
from mnema.client._exports import Collected, Progress, Source, line_of, text_of
from mnema.client._pieces import PartFile
from mnema.client._sync.calls import Caller
from mnema.client._sync.transport import in_thread
from mnema.client.errors import MnemaError
from mnema.client.lifecycle import DeletionResult, ImportResult, UserData
from mnema.v1 import lifecycle_service_pb2 as pb
from mnema.v1.lifecycle_service_pb2_grpc import LifecycleServiceStub

DELETE_SECONDS = 300.0  # the least timeout of a deletion
STREAM_SECONDS = 3600.0  # the least timeout of an export or an import


class Lifecycle:
    """The part of the client that erases, exports and imports users."""

    _caller: Caller

    def delete_user_data(self, user_id: str, *, request_id: str | None = None) -> DeletionResult:
        """Erases all that is stored of a user, atomically, and the user's API keys.

        Nothing is found any more when this returns; the bytes of files are gone some moments
        later, which `get_deletion` tells. The user may be used again at once, from zero.

        Args:
            user_id: whose data are erased.
            request_id: a UUID that makes your own retries harmless. Default: a new one.

        Returns:
            A dict of deleted (how many rows by table, the vectors as "embeddings"),
            deletion_id, state and the rest of the receipt.
        """
        caller = self._caller.at_least(DELETE_SECONDS)
        stub = caller.stub(LifecycleServiceStub)
        request = pb.DeleteUserDataRequest(user_id=user_id, request_id=request_id or "")
        return _deletion((caller.write(stub.DeleteUserData, request)).deletion)

    def get_deletion(self, user_id: str, deletion_id: str) -> DeletionResult:
        """Gets the receipt of a deletion; it is kept for 30 days.

        Raises:
            NotFound: the user has none of that id.
        """
        stub = self._caller.stub(LifecycleServiceStub)
        request = pb.GetDeletionRequest(user_id=user_id, deletion_id=deletion_id)
        return _deletion((self._caller.read(stub.GetDeletion, request)).deletion)

    def export_user_data(self, user_id: str) -> UserData:
        """Gets what a user has now, as it was at one moment.

        For the whole of it, history and the bytes of files included, use `export_to`.

        Returns:
            A dict of memories, conversations (the messages), graph (nodes and edges), kv,
            profile (the emotion profile; None before the first digest) and documents.

        Raises:
            NotFound: nothing was ever stored for the user.

        Example:
            with Mnema() as nm:
                data = nm.export_user_data("alice")
                print(len(data["memories"]), len(data["conversations"]))
        """
        collected = Collected()
        with closing(self.iter_export(user_id)) as lines:
            for line in lines:
                collected.take(line)
        return collected.data

    def iter_export(self, user_id: str) -> Generator[dict[str, Any]]:
        """Iterates over everything of a user, as it was at one moment.

        Dicts as they stand in a file, one a line: a header, {"kind": …, "record": …} for each
        thing, pieces of files, a trailer. docs/export-format.md describes them.
        """
        caller = self._caller.at_least(STREAM_SECONDS)
        stub = caller.stub(LifecycleServiceStub)
        request = pb.ExportUserDataRequest(user_id=user_id)
        with closing(caller.download(stub.ExportUserData, request)) as parts:
            for part in parts:
                yield line_of(part)

    def export_to(
        self, user_id: str, path: str | os.PathLike[str], progress: Progress | None = None
    ) -> Path:
        """Writes everything of a user to `path` as JSON Lines; it is there whole or not at all.

        Args:
            user_id: whose data are exported.
            path: where they go.
            progress: called with the records written and all that there are.

        Raises:
            NotFound: nothing was ever stored for the user.
            OSError: the path can't be written.
        """
        target = in_thread(PartFile.beside, Path(path))
        done, total = 0, 0
        try:
            with closing(self.iter_export(user_id)) as lines:
                for line in lines:
                    in_thread(target.write, text_of(line))
                    total = total or sum(line.get("counts", {}).values())
                    done += "record" in line
                    if progress is not None:
                        progress(done, total)
            return in_thread(target.keep)
        finally:
            in_thread(target.discard)

    def import_from(
        self,
        user_id: str,
        source: str | os.PathLike[str] | Iterable[Mapping[str, Any]],
        progress: Progress | None = None,
        *,
        request_id: str | None = None,
    ) -> ImportResult:
        """Imports an export for a user who has nothing yet: all of it or nothing.

        Ids and times are kept; what was asked as of a past moment is answered as before. It is
        found by words when this returns, by meaning some moments later.

        Args:
            user_id: who is to have the data.
            source: the path of an export, or its lines as `iter_export` gives them.
            progress: called with the bytes read and all that there are, for a path.
            request_id: a UUID that makes your own retries harmless: an import that was done is
                answered as it was, for 24 hours. Default: a new one.

        Raises:
            FailedPrecondition: the user has something already.
            InvalidArgument: a record is not as it must be; it says which.
            ValueError: a line is no part of an export; it says which.
            OSError: the file can't be read.
        """
        given = Path(source) if isinstance(source, (str, os.PathLike)) else source
        parts = Source(given, progress)
        caller = self._caller.at_least(STREAM_SECONDS)
        stub = caller.stub(LifecycleServiceStub)
        target = pb.ImportTarget(user_id=user_id, request_id=request_id or str(uuid4()))
        stream = partial(self._parts, target, parts)
        try:
            response = caller.upload(stub.ImportUserData, stream, parts.repeatable)
        except MnemaError:
            if parts.failure is not None:
                raise parts.failure from None
            raise
        return ImportResult(imported=dict(response.imported), file_bytes=response.file_bytes)

    def _parts(
        self, target: pb.ImportTarget, source: Source
    ) -> Generator[pb.ImportUserDataRequest]:
        yield pb.ImportUserDataRequest(target=target)
        parts = source.open()
        while (part := in_thread(source.next, parts)) is not None:
            yield part


def _deletion(deletion: pb.Deletion) -> DeletionResult:
    return DeletionResult(
        deleted=dict(deletion.deleted),
        deletion_id=deletion.deletion_id,
        state=pb.Deletion.State.Name(deletion.state).removeprefix("STATE_").lower(),
        objects_pending=deletion.objects_pending,
        objects_deleted=deletion.objects_deleted,
        deleted_at=moment_of(deletion.deleted_at),
        finished_at=optional_moment(deletion, "finished_at"),
        expires_at=moment_of(deletion.expires_at),
    )
