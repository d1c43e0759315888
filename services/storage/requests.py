"""Writes that are safe to repeat: the first answer to a request_id is kept and given again."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, TypeVar
from uuid import UUID

import asyncpg
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


async def once_each(
    connection: Connection,
    scope_id: UUID,
    requests: Sequence[WriteRequest],
    answer_type: type[Answer],
    write: Callable[[Sequence[int]], Awaitable[Sequence[Answer]]],
) -> list[Answer]:
    """As `once`, for several requests in one go; no two of them have the same request_id.

    `write` gets the positions of those that have not been answered before, in their order,
    and returns their answers. There is an answer for each request, in the order of these.
    """
    claims = {UUID(each.request_id): _claim(each) for each in requests if each.request_id}
    fresh = await _claim_all(connection, scope_id, claims)
    known = await _replay_all(
        connection, scope_id, {key: claims[key] for key in claims.keys() - fresh}, answer_type
    )
    ids = [UUID(each.request_id) if each.request_id else None for each in requests]
    written = [at for at, key in enumerate(ids) if key is None or key in fresh]
    answers = dict(zip(written, await write(written) if written else (), strict=True))
    if fresh:
        kept = [(key, answers[at]) for at, key in enumerate(ids) if key in fresh]
        await connection.execute(
            SQL["answer_requests"],
            scope_id,
            [key for key, _ in kept],
            [answer.SerializeToString() for _, answer in kept],
        )
        if any(key.bytes[-1] == 0 for key in fresh):
            await connection.execute(SQL["purge_requests"], scope_id)
    answers |= {at: known[key] for at, key in enumerate(ids) if key in known}
    return [answers[at] for at in range(len(requests))]


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


async def _claim_all(
    connection: Connection, scope_id: UUID, claims: Mapping[UUID, tuple[str, bytes]]
) -> set[UUID]:
    """Claims the ids that are free; returns these."""
    if not claims:
        return set()
    rows = await connection.fetch(
        SQL["claim_requests"],
        scope_id,
        list(claims),
        [method for method, _ in claims.values()],
        [body_hash for _, body_hash in claims.values()],
    )
    return {row["request_id"] for row in rows}


async def _replay_all(
    connection: Connection,
    scope_id: UUID,
    claims: Mapping[UUID, tuple[str, bytes]],
    answer_type: type[Answer],
) -> dict[UUID, Answer]:
    """The answers that these were given before."""
    if not claims:
        return {}
    rows = await connection.fetch(SQL["get_requests"], scope_id, list(claims))
    found = {row["request_id"]: row for row in rows}
    return {
        key: _answer_of(found.get(key), key, claim, answer_type) for key, claim in claims.items()
    }


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
    return _answer_of(row, request_id, claim, answer_type)


def _answer_of(
    row: asyncpg.Record | None,
    request_id: UUID,
    claim: tuple[str, bytes],
    answer_type: type[Answer],
) -> Answer:
    if row is None or (row["method"], row["body_hash"]) != claim:
        raise RequestIdReused(
            f"request_id {request_id} was used before, for another request",
            metadata={"request_id": str(request_id)},
        )
    return answer_type.FromString(row["response"])
