"""When enough has been said since the last digest, another one is due."""

from uuid import UUID

from services.contract.digest_job import DEFAULT_BATCH, queue_digest
from services.contract.user import User
from services.runtime.config import ExtractionSettings, OptionSettings
from services.runtime.database import Connection
from services.storage import digest_runs
from services.storage.options import read_options


async def queue_if_due(
    connection: Connection,
    user: User,
    extraction_id: UUID,
    settings: ExtractionSettings,
    server: OptionSettings,
) -> None:
    """Counts the user messages of an extraction, and queues a digest when they are enough.

    Belongs inside the transaction that makes the extraction done: so each message counts once,
    and the digest finds the memories that came of it. What is over a whole interval counts
    towards the next one.
    """
    owner_id = user.owner_id
    counted = await digest_runs.count_messages(connection, owner_id, extraction_id)
    options = (await read_options(connection, user.tenant_id, owner_id)).over(server)
    interval = options.reflection_interval
    if not interval or counted < interval:
        return
    await digest_runs.uncount_messages(connection, owner_id, counted - counted % interval)
    await queue_digest(
        connection,
        user,
        "interval",
        batch_size=DEFAULT_BATCH,
        max_attempts=settings.max_attempts,
    )
