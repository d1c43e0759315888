"""Single messages that come for one user at once: committed together, in one transaction.

Nobody waits for company: what comes while a transaction of the user's is under way is the
next one. Messages of one session would have waited for each other's commit anyway.
"""

import asyncio
from collections import deque
from dataclasses import dataclass

from mnema.v1.ingest_service_pb2 import IngestRequest, IngestResponse
from services.contract.convert_message import message_of
from services.contract.user import User
from services.ingest.storing import OF_ONE_MESSAGE, Analyzed, MessageStore
from services.runtime import context
from services.runtime.ids import OwnerId
from services.storage.messages import MessageRow

MOST_MESSAGES = 100
"""In one transaction."""

MOST_CHARACTERS = 256 * 1024
"""As MOST_MESSAGES, of their contents; a single message may be longer."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A message whose caller waits for `answer`, and how long: `seconds` (None: for ever)."""

    request: IngestRequest
    message: Analyzed
    seconds: float | None
    answer: asyncio.Future[IngestResponse]


class Company:
    """Belongs to one event loop."""

    def __init__(self, store: MessageStore) -> None:
        self._store = store
        self._lines: dict[OwnerId, deque[_Waiting]] = {}
        self._runners: set[asyncio.Task[None]] = set()

    async def take(self, user: User, request: IngestRequest, message: Analyzed) -> IngestResponse:
        """The answer, once the message is committed; raises what is wrong with this one."""
        answer: asyncio.Future[IngestResponse] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(request, message, context.remaining(), answer)
        line = self._lines.get(user.owner_id)
        if line is not None:
            line.append(waiting)
        else:
            self._lines[user.owner_id] = deque((waiting,))
            runner = asyncio.create_task(self._run(user), name="ingest line")
            self._runners.add(runner)
            runner.add_done_callback(self._runners.discard)
        return await answer

    async def _run(self, user: User) -> None:
        """Stores what waits until nothing does."""
        line = self._lines[user.owner_id]
        try:
            while group := _group(line):
                await self._answer(user, group)
        finally:
            del self._lines[user.owner_id]

    async def _answer(self, user: User, group: list[_Waiting]) -> None:
        try:
            answers = await self._stored(user, group)
        except OF_ONE_MESSAGE as error:
            if len(group) > 1:
                for each in group:
                    await self._answer(user, [each])
            else:
                _fail(group, error)
        except Exception as error:  # raised by each of the callers that wait
            _fail(group, error)
        else:
            for each, answer in zip(group, answers, strict=True):
                if not each.answer.done():  # its caller may have gone
                    each.answer.set_result(answer)

    async def _stored(self, user: User, group: list[_Waiting]) -> list[IngestResponse]:
        """In the time that the most patient caller has."""
        limits = [each.seconds for each in group if each.seconds is not None]
        longest = max(limits) if len(limits) == len(group) else None

        def answer(row: MessageRow, _: IngestRequest) -> IngestResponse:
            return IngestResponse(message=message_of(row, user.user_id))

        with context.act_for(user.tenant_id, user.user_id, timeout=longest):
            return await self._store.store(
                user,
                [each.request for each in group],
                [each.message for each in group],
                IngestResponse,
                answer,
            )


def _group(line: deque[_Waiting]) -> list[_Waiting]:
    """Takes those that come first, within the bounds, no request_id twice."""
    group: list[_Waiting] = []
    ids: set[str] = set()
    characters = 0
    while line and len(group) < MOST_MESSAGES:
        first = line[0]
        characters += len(first.request.content)
        if group and (first.request.request_id.lower() in ids or characters > MOST_CHARACTERS):
            break
        line.popleft()
        if first.answer.done():
            continue  # its caller has gone
        if first.request.request_id:
            ids.add(first.request.request_id.lower())
        group.append(first)
    return group


def _fail(group: list[_Waiting], error: Exception) -> None:
    for each in group:
        if not each.answer.done():
            each.answer.set_exception(error)
