"""Writes that are safe to repeat: the first answer to a request_id is kept and given again."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar
from uuid import UUID

from google.protobuf.message import Message

from services.runtime.database import Connection
from services.runtime.errors import RequestIdReused
from services.storage.queries import load

SQL = load("foundation")
Answer = TypeVar("Answer", bound=Message)


class WriteRequest(Protocol):
    """A request message with a request_id, which may be empty."""

    request_id: str

    def SerializeToString(self, *, deterministic: bool = ...) -> bytes:  # noqa: N802
        """The request's bytes."""
        ...


async def once(
    connection: Connection,
    scope_id: UUID,
    request: WriteRequest,
    answer_type: type[Answer],
    write: Callable[[], Awaitable[Answer]],
) -> Answer:
    """Runs `write`, unless a call of that request_id was answered: then gives that answer again.

    Belongs inside the transaction that writes: claim, write and answer are committed
    together or not at all, and a second call that comes meanwhile waits for the first.
    `scope_id` is the owner's id (the tenant's for calls of a tenant as such). Without a
    request_id it just writes. Raises RequestIdReused if the id came with another method
    or body before. Kept for at least 24 hours.
    """
    if not request.request_id:
        return await write()
    request_id = UUID(request.request_id)
    claim = _claim(request)
    if not await connection.fetchval(SQL["claim_request"], scope_id, request_id, *claim):
        return await _replay(connection, scope_id, request_id, claim, answer_type)
    answer = await write()
    await connection.execute(
        SQL["answer_request"], scope_id, request_id, answer.SerializeToString()
    )
    if request_id.bytes[-1] == 0:  # one call in 256 clears up for the others
        await connection.execute(SQL["purge_requests"], scope_id)
    return answer


async def answered(
    connection: Connection, scope_id: UUID, request: WriteRequest, answer_type: type[Answer]
) -> Answer | None:
    """The answer that a call of this request_id was given, if it was: before work that costs.

    Says nothing of a call that is under way; `once` in the writing transaction does.
    """
    if not request.request_id:
        return None
    request_id = UUID(request.request_id)
    if await connection.fetchrow(SQL["get_request"], scope_id, request_id) is None:
        return None
    return await _replay(connection, scope_id, request_id, _claim(request), answer_type)


def _claim(request: WriteRequest) -> tuple[str, bytes]:
    body = request.SerializeToString(deterministic=True)
    return type(request).__name__, hashlib.sha256(body).digest()


async def _replay(
    connection: Connection,
    scope_id: UUID,
    request_id: UUID,
    claim: tuple[str, bytes],
    answer_type: type[Answer],
) -> Answer:
    row = await connection.fetchrow(SQL["get_request"], scope_id, request_id)
    if row is None or (row["method"], row["body_hash"]) != claim:
        raise RequestIdReused(
            f"request_id {request_id} was used before, for another request",
            metadata={"request_id": str(request_id)},
        )
    return answer_type.FromString(row["response"])
