"""Pages of messages: as many as are asked for, unless they are so long that fewer fit an answer."""

from dataclasses import dataclass

from mnema.v1 import conversation_service_pb2 as pb
from services.contract.convert_message import state_name
from services.contract.user import User
from services.ingest import convert
from services.runtime.database import Connection
from services.storage import messages

Cursor = tuple[str | int | float | None, ...]

MOST_OCTETS = 2 * 1024 * 1024
"""Of contents in one page: half of what a gRPC client takes unless it is told otherwise."""

# So many are read at once, lest a page of the longest ones be held in memory as a whole.
_READ_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Page:
    """Messages in their order; `cursor` continues behind the last one, None at the end."""

    rows: list[messages.MessageRow]
    cursor: Cursor | None


async def message_page(
    connection: Connection,
    user: User,
    request: pb.ListMessagesRequest,
    cursor: Cursor | None,
    size: int,
) -> Page:
    """The page behind `cursor`: `size` messages, or fewer if they would be over MOST_OCTETS."""
    rows: list[messages.MessageRow] = []
    octets = 0
    while True:
        wanted = min(size + 1 - len(rows), _READ_AT_ONCE)
        read = await _read(connection, user, request, cursor, wanted)
        for row in read:
            octets += len(row.content.encode())
            if len(rows) == size or (rows and octets > MOST_OCTETS):
                return Page(rows, cursor)
            rows.append(row)
            cursor = _cursor_of(row, request)
        if len(read) < wanted:
            return Page(rows, None)


async def _read(
    connection: Connection,
    user: User,
    request: pb.ListMessagesRequest,
    cursor: Cursor | None,
    limit: int,
) -> list[messages.MessageRow]:
    """A session's messages are sorted by their places, all of a user's by their times."""
    state = state_name(request.extraction_state)
    if not request.session_id:
        return await messages.list_messages(
            connection,
            user.owner_id,
            extraction_state=state,
            after=convert.time_and_id(cursor),
            limit=limit,
            as_of=convert.moment_of(request, "as_of"),
        )
    return await messages.list_session_messages(
        connection,
        user.owner_id,
        request.session_id,
        extraction_state=state,
        after=convert.place_of(cursor),
        limit=limit,
        as_of=convert.moment_of(request, "as_of"),
    )


def _cursor_of(row: messages.MessageRow, request: pb.ListMessagesRequest) -> Cursor:
    if request.session_id:
        return (row.sequence,)
    return (row.recorded_at.isoformat(), str(row.message_id))
