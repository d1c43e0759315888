"""`python -m services.app.prepare`: everything that must exist before a service starts.

Assembles the local embedding model where it is missing, upgrades the schema, makes the
embedding space of the configured model and activates it: where that is another model than
before, everything is embedded anew, and the vectors of the one before are kept. Safe to run
twice; with another model, while no service runs.
"""

import asyncio
import os
import sys

from services.app.settings import Settings
from services.providers.embeddings.factory import create_embedding_provider
from services.storage.migrate import SpaceSpec, migrate

OWNER_DSN = "MNEMA_OWNER_DSN"


async def prepare(settings: Settings, owner_dsn: str) -> str:
    """Returns the schema's revision. `owner_dsn` logs in as the owner of the tables."""
    provider = await asyncio.to_thread(
        create_embedding_provider, settings.embedding, model_dir=settings.model_dir
    )
    try:
        space = SpaceSpec(provider.model, provider.dims)
    finally:
        await provider.close()
    return await migrate(owner_dsn, [space], active=space)


def main() -> int:
    """The owner's connection string is in MNEMA_OWNER_DSN, everything else in the settings."""
    owner_dsn = os.environ.pop(OWNER_DSN, "")
    if not owner_dsn:
        print(f"{OWNER_DSN} must hold the connection string of the tables' owner", file=sys.stderr)
        return 2
    revision = asyncio.run(prepare(Settings(), owner_dsn))
    print(f"the schema is at revision {revision}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
