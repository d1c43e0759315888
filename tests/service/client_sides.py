"""Both clients behind one face, for tests that hold of either."""

import asyncio
from collections.abc import Callable
from typing import Any

from mnema.client import AsyncMnema, Mnema


class Side:
    """One of the two clients; `run` makes its calls from the test's event loop."""

    def __init__(self, client: AsyncMnema | Mnema) -> None:
        self.nm: Any = client

    async def run(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Makes one call of the client."""
        if isinstance(self.nm, AsyncMnema):
            return await method(*args, **kwargs)
        return await asyncio.to_thread(method, *args, **kwargs)

    async def drain(self, items: Any, limit: int | None = None) -> list[Any]:
        """The items of one of its iterators; stops early at `limit`."""
        if isinstance(self.nm, AsyncMnema):
            found: list[Any] = []
            async for item in items:
                found.append(item)
                if len(found) == limit:
                    await items.aclose()
                    break
            return found
        return await asyncio.to_thread(_drain, items, limit)


def _drain(items: Any, limit: int | None) -> list[Any]:
    found = []
    for item in items:
        found.append(item)
        if len(found) == limit:
            items.close()
            break
    return found
