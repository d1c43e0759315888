"""Storing messages in one transaction, each once for its request_id."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import Message

from services.contract.user import User
from services.ingest.intake import Said, take_in
from services.runtime.config import ExtractionSettings, OptionSettings
from services.runtime.database import Connection, Database
from services.runtime.errors import FailedPrecondition, RequestIdReused
from services.storage.messages import MessageRow
from services.storage.requests import WriteRequest, once_each
from services.text.units import Unit

Answer = TypeVar("Answer", bound=Message)
Request = TypeVar("Request", bound=WriteRequest)

OF_ONE_MESSAGE = (FailedPrecondition, RequestIdReused)
"""What is wrong with one message of several, and not with the others: store them one by one."""


@dataclass(frozen=True, slots=True)
class Analyzed:
    """A message of a request, in its session, with the units of its content."""

    said: Said
    units: tuple[Unit, ...]


class MessageStore:
    """Stores messages of requests that carry one each."""

    def __init__(
        self, database: Database, settings: ExtractionSettings, server: OptionSettings
    ) -> None:
        self._database = database
        self._settings = settings
        self._server = server

    async def store(
        self,
        user: User,
        requests: Sequence[Request],
        messages: Sequence[Analyzed],
        answer_type: type[Answer],
        answer: Callable[[MessageRow, Request], Answer],
    ) -> list[Answer]:
        """All or none: the answers, in the order of the requests.

        One that was answered before gets that answer again. No two have the same request_id.
        """

        async def work(connection: Connection) -> list[Answer]:
            async def write(chosen: Sequence[int]) -> list[Answer]:
                rows = await take_in(
                    connection,
                    user,
                    [messages[at].said for at in chosen],
                    [messages[at].units for at in chosen],
                    self._settings,
                    self._server,
                )
                return [answer(row, requests[at]) for row, at in zip(rows, chosen, strict=True)]

            return await once_each(connection, user.owner_id, requests, answer_type, write)

        return await self._database.run(user.scope, work)
