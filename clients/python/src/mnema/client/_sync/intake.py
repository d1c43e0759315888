# Written by tools/sync_client.py from _async/intake.py: change that file, not this one.
"""Taking in what is said."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any

from mnema.client._convert.json_values import struct_of
from mnema.client._convert.messages import (
    extraction_of,
    message_of,
    new_message,
    receipt_of,
    status_of,
    streamed_message,
)
from mnema.client._convert.names import EXTRACTION_STATES
from mnema.client._convert.times import timestamp_of
from mnema.client._settling import Settling
from mnema.client._sync import transport
from mnema.client._sync.calls import Caller, take
from mnema.client.models import ConversationMessage, Extraction, IngestStatus, MessageReceipt
from mnema.client.results import NewMessage, StreamedMessage
from mnema.v1 import ingest_service_pb2 as pb
from mnema.v1.ingest_service_pb2_grpc import IngestServiceStub


class Intake:
    """Stores messages. Both the client and its `conversations` do."""

    _caller: Caller

    def ingest(
        self,
        user_id: str,
        role: str,
        content: str,
        session_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        *,
        speaker: str | None = None,
        said_at: datetime | None = None,
        request_id: str | None = None,
    ) -> ConversationMessage:
        """Stores one message; what it holds is extracted into memory some moments later.

        When this returns, the message is committed and can be found by its words.

        Args:
            user_id: whose memory it goes to: any 1 to 256 characters. Made if new.
            role: who said it: "user", "assistant", "system" or "tool".
            content: what was said: 1 to 400,000 characters.
            session_id: the conversation it belongs to: at most 256 characters. Made if new;
                None: a new one, named in the answer.
            metadata: your own data about it: JSON of at most 16 KiB.
            speaker: the name of who said it, where the role does not tell.
            said_at: when it was said, for imported histories: an aware datetime. Default: now.
            request_id: a UUID that makes your own retries harmless. Default: a new one, which
                covers the client's retries.

        Raises:
            InvalidArgument: a value is too long, empty or malformed.
            FailedPrecondition: the session is closed.

        Example:
            with Mnema() as nm:
                message = nm.ingest(user_id="alice", role="user", content="I work at Google")
                print(message.id, message.session_id)
        """
        request = pb.IngestRequest(
            user_id=user_id,
            role=role,
            content=content,
            session_id=session_id or "",
            metadata=struct_of(metadata),
            speaker=speaker or "",
            said_at=timestamp_of(said_at),
            request_id=request_id or "",
        )
        stub = self._caller.stub(IngestServiceStub)
        return message_of((self._caller.write(stub.Ingest, request)).message)

    def ingest_batch(
        self,
        user_id: str,
        messages: Sequence[NewMessage | Mapping[str, Any]],
        session_id: str | None = None,
        *,
        request_id: str | None = None,
    ) -> tuple[str, list[str]]:
        """Stores many messages, all or none, in the given order.

        Args:
            user_id: whose memory they go to.
            messages: 1 to 1,000 dicts with "role" and "content", and if known "speaker",
                "said_at", "metadata" and "session_id" (if it is not the batch's).
            session_id: the conversation of those that name none. None: a new one.
            request_id: as for `ingest`.

        Returns:
            The session's id, and the messages' ids in their order. Where every message names
            its own session it is the first one's.

        Raises:
            ValueError: a message lacks role or content, or has a key that messages don't have.
            InvalidArgument: a value is too long, empty or malformed.
            FailedPrecondition: one of the sessions is closed.
        """
        request = pb.IngestBatchRequest(
            user_id=user_id,
            session_id=session_id or "",
            messages=[new_message(each) for each in messages],
            request_id=request_id or "",
        )
        stub = self._caller.stub(IngestServiceStub)
        receipts = (self._caller.write(stub.IngestBatch, request)).receipts
        sessions = [
            receipt.session_id
            for receipt, message in zip(receipts, request.messages, strict=True)
            if not message.session_id
        ]
        session = session_id or (sessions or [receipts[0].session_id])[0]
        return session, [receipt.message_id for receipt in receipts]

    def ingest_stream(
        self,
        user_id: str,
        messages: Iterable[StreamedMessage | Mapping[str, Any]],
        session_id: str | None = None,
        *,
        timeout: float | None = None,
    ) -> Generator[MessageReceipt]:
        """Stores messages as they come, and tells of each, in their order, when it is committed.

        The fastest way in for many: what has arrived is committed together, and nothing waits
        for company. `messages` is drawn from as fast as the server takes them, ahead of the
        receipts. A message that cannot be stored ends it: all before it are stored, it and
        those behind it are not. So does whatever `messages` raises, once all before it is stored.

        A stream that breaks is not repeated by itself. To repeat it without storing anything
        twice, give the messages their "request_id" and the session its id, and send all that
        have no receipt again.

        Args:
            user_id: whose memory they go to.
            messages: dicts as for `ingest_batch`, with your own "request_id", a UUID, if you
                will send them again. Default: a new one each, named in the receipt.
            session_id: the conversation of those that name none. None: a new one.
            timeout: seconds for all of it. None: as long as the server allows, an hour.

        Raises:
            ValueError: a message lacks role or content, or has a key that messages don't have.
            InvalidArgument: a value is too long, empty or malformed; the error's metadata have
                the message's "index", from 0.
            FailedPrecondition: a session is closed; "index" as above.

        Example:
            with Mnema() as nm:
                for receipt in nm.ingest_stream("alice", spoken(), "monday"):
                    print(receipt.sequence, receipt.id)
        """
        failures: list[Exception] = []
        stub = self._caller.stub(IngestServiceStub)
        requests = _streamed(user_id, session_id or "", messages, failures)
        answers = self._caller.exchange(stub.IngestStream, requests, timeout)
        with closing(answers):
            for answer in answers:
                yield receipt_of(answer)
        if failures:
            raise failures[0]


def _streamed(
    user_id: str,
    session_id: str,
    messages: Iterable[StreamedMessage | Mapping[str, Any]],
    failures: list[Exception],
) -> Generator[pb.IngestStreamRequest]:
    try:
        for given in messages:
            yield streamed_message(given, user_id, session_id)
    except Exception as failure:  # whatever the caller's messages may raise
        # gRPC would take it for its own, and cut off what is on its way.
        failures.append(failure)


class Extractions:
    """Shows what becomes of messages."""

    _caller: Caller

    def status(self, user_id: str) -> IngestStatus:
        """Tells how much of what a user said is not in memory yet."""
        stub = self._caller.stub(IngestServiceStub)
        request = pb.GetIngestStatusRequest(user_id=user_id)
        return status_of(self._caller.read(stub.GetIngestStatus, request))

    def wait_until_extracted(self, user_id: str, timeout: float = 60.0) -> IngestStatus:
        """Waits until everything a user said is in memory, or has failed for good.

        A server may wait for more messages before it extracts a session; closing the session
        hurries it.

        Args:
            user_id: the user asked about.
            timeout: seconds to wait at most.

        Returns:
            The status then: look at its `failed_extractions`.

        Raises:
            DeadlineExceeded: it took longer; the metadata say what still waits.

        Example:
            with Mnema() as nm:
                nm.ingest("alice", "user", "I live in Zurich")
                nm.wait_until_extracted("alice", timeout=30)
                print((nm.recall("alice", "Where does she live?"))["merged"])
        """
        settling = Settling(timeout)
        while True:
            status = self.status(user_id)
            if status.settled:
                return status
            transport.sleep(settling.pause(status))

    def iter_extractions(
        self, user_id: str, state: str | None = None, session_id: str | None = None
    ) -> Generator[Extraction]:
        """Iterates over a user's extractions, the newest first. Filters as `list_extractions`."""
        return self._extractions(user_id, state, session_id, None)

    def list_extractions(
        self,
        user_id: str,
        state: str | None = None,
        session_id: str | None = None,
        limit: int = 50,
    ) -> list[Extraction]:
        """Lists a user's extractions, the newest first: what each found, and why it failed.

        Args:
            user_id: the user asked about.
            state: only those "pending", "running", "done", "failed" or "skipped".
            session_id: only those of this session.
            limit: how many at most.
        """
        return take(self._extractions(user_id, state, session_id, limit), limit)

    def _extractions(
        self, user_id: str, state: str | None, session_id: str | None, limit: int | None
    ) -> Generator[Extraction]:
        request = pb.ListExtractionsRequest(user_id=user_id, session_id=session_id or "")
        if state is not None:
            request.state = EXTRACTION_STATES.number(state)
        stub = self._caller.stub(IngestServiceStub)
        for page in self._caller.pages(stub.ListExtractions, request, limit):
            for extraction in page.extractions:
                yield extraction_of(extraction)

    def retry_failed_extractions(
        self, user_id: str, max_retries: int = 3, extraction_ids: Sequence[str] | None = None
    ) -> list[str]:
        """Starts failed extractions anew.

        Args:
            user_id: the user asked about.
            max_retries: how many further attempts each gets: 1 to 10.
            extraction_ids: only these. Default: all that failed.

        Returns:
            The ids of those that wait for a worker now.
        """
        request = pb.RetryFailedExtractionsRequest(
            user_id=user_id, max_retries=max_retries, extraction_ids=extraction_ids or ()
        )
        stub = self._caller.stub(IngestServiceStub)
        response = self._caller.once(stub.RetryFailedExtractions, request)
        return list(response.extraction_ids)

    def extract(self, user_id: str, session_id: str | None = None) -> list[str]:
        """Has what is pending extracted now, whatever the settings say.

        Args:
            user_id: the user asked about.
            session_id: only what is pending in this session. Default: in all.

        Returns:
            The ids of the sessions with pending messages, which wait for a worker now.

        Example:
            with Mnema(auto_extract=False) as nm:
                nm.ingest("alice", "user", "I live in Zurich")
                nm.extract("alice")
                nm.wait_until_extracted("alice")
        """
        request = pb.StartExtractionRequest(user_id=user_id, session_id=session_id or "")
        stub = self._caller.stub(IngestServiceStub)
        # What is being extracted already is left alone: it may be repeated.
        return list((self._caller.read(stub.StartExtraction, request)).session_ids)
