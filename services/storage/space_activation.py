"""Which embedding model a database is searched by: a change of it, there and back.

Every model keeps its own vectors. Activating a model's space makes whatever has no vector in
it wait for one, and the embedding jobs fill it; vectors of the model before stay, so that going
back costs what was added meanwhile. Meant for a moment at which no service writes: `mnema
migrate`, before they are started with the other model.
"""

import asyncpg

from services.storage import jobs
from services.storage.embedding_spaces import SQL, in_space
from services.storage.foundation import EmbeddingSpace
from services.storage.queries import load

USERS = load("reindexing")


async def activate(owner_dsn: str, model: str, dims: int) -> bool:
    """Makes the space of this model the active one; False if it is already.

    `owner_dsn` logs in as the owner of the tables. All or nothing, in one transaction. LookupError
    if there is no such space.
    """
    connection = await asyncpg.connect(owner_dsn)
    try:
        async with connection.transaction():
            return await _activate(connection, model, dims)
    finally:
        await connection.close()


async def _activate(
    connection: "asyncpg.Connection[asyncpg.Record]", model: str, dims: int
) -> bool:
    row = await connection.fetchrow(SQL["find_space"], model, dims)
    if row is None:
        raise LookupError(f"no embedding space of {model} ({dims})")
    if row["active"]:
        return False
    space = EmbeddingSpace(row["space_id"], row["model"], row["dims"], row["table_name"])
    await connection.execute(SQL["deactivate_spaces"])
    await connection.execute(SQL["activate_space"], space.space_id)
    await connection.execute("SELECT set_config('mnema.admin', 'on', true)")
    for user in await connection.fetch(USERS["list_everybody"]):
        owner_id = user["owner_id"]
        await connection.execute(USERS["act_for"], str(owner_id))
        await connection.execute(in_space(SQL["embedded_no_more"], space), owner_id)
        if await connection.fetchval(in_space(SQL["await_vectors"], space), owner_id):
            payload = {
                "tenant_id": str(user["tenant_id"]),
                "owner_id": str(owner_id),
                "user_id": user["user_id"],
            }
            # A connection of no pool does all that a job needs of one.
            await jobs.enqueue(connection, jobs.EMBED, payload)  # type: ignore[arg-type]
    return True
