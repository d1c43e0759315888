"""The text that stands for a query: what was begun too early, with other speakers, is dropped."""

import asyncio
from datetime import UTC, datetime

import numpy as np

from services.vector.embedding import Attempt
from services.vector.searching import Asked


async def test_only_the_text_that_is_meant_counts() -> None:
    embedded: list[str] = []

    async def embed(text: str) -> Attempt:
        await asyncio.sleep(0)
        embedded.append(text)
        return Attempt(np.full(3, len(text), np.float32))

    asked = Asked("Ada's radio", datetime.now(UTC), embed)
    asked.begin("my radio")  # as the last search's speakers would have it
    vector = await asked.embedding("Ada's radio")
    assert vector is not None
    assert vector[0] == len("Ada's radio")
    assert embedded == ["Ada's radio"]
    again = Asked("Ada's radio", datetime.now(UTC), embed)
    again.begin("my radio")
    await again.embedding("my radio")
    assert embedded == ["Ada's radio", "my radio"]
