"""What a reranking model is to the rest of the program."""

from collections.abc import Sequence
from typing import Protocol


class Reranker(Protocol):
    """A model that reads a query and a text together, and says how well they fit."""

    @property
    def model(self) -> str:
        """Its name."""

    @property
    def top_n(self) -> int:
        """How many of the best hits it is asked about, 1 to 200."""

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        """One score for each text, in their order; the higher, the better the text fits.

        On the model's own scale. No texts, no call. Raises Unavailable, ResourceExhausted or
        FailedPrecondition if the model can't be used, Internal if its answer makes no sense.
        """

    async def close(self) -> None:
        """Closes the connections."""
