"""Embeddings before extractions: what was said is to be found first, and thought over then."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

_PATIENCE_SECONDS = 3.0
# Between two embedding jobs of a burst there is a moment without one.
_PAUSE_SECONDS = 0.1


class Precedence:
    """Has extractions of this process wait while it embeds.

    None waits longer than `patience` seconds: where embedding never ends, some of the
    extractions go on beside it all the same. Belongs to one event loop.
    """

    def __init__(self, patience: float = _PATIENCE_SECONDS, pause: float = _PAUSE_SECONDS) -> None:
        """`pause`: the seconds without an embedding after which there is none to wait for."""
        self._patience = patience
        self._pause = pause
        self._embedding = 0
        self._ended = float("-inf")
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def embedding(self) -> Iterator[None]:
        """The block makes embeddings."""
        self._embedding += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._embedding -= 1
            if not self._embedding:
                self._ended = asyncio.get_running_loop().time()
                self._idle.set()

    async def turn(self) -> None:
        """Returns when an extraction may begin."""
        try:
            async with asyncio.timeout(self._patience):
                while not self._free():
                    await self._idle.wait()
                    await asyncio.sleep(self._pause)
        except TimeoutError:
            return

    def _free(self) -> bool:
        since = asyncio.get_running_loop().time() - self._ended
        return not self._embedding and since >= self._pause
