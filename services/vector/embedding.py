"""Embedding a single text for a call that can go on without its vector."""

import asyncio
from dataclasses import dataclass

import structlog

from services.providers.embeddings.base import EmbeddingProvider, Vector
from services.runtime.context import remaining
from services.runtime.errors import (
    FailedPrecondition,
    Internal,
    MnemaError,
    ResourceExhausted,
    Unavailable,
)

log = structlog.get_logger("mnema.vector")

# What a provider raises when the model cannot be used; anything else is a bug of ours.
PROVIDER_FAILURES = (Unavailable, ResourceExhausted, FailedPrecondition, Internal)

MAX_SECONDS = 10.0
"""How long a call waits for a vector that it can do without; half of its time at most."""

_RETRY_AFTER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """A text's vector; or None, and why it could not be made."""

    vector: Vector | None
    failure: str = ""


async def try_embed(provider: EmbeddingProvider, text: str) -> Attempt:
    """The vector of one text, or why there is none. Logs a failure; raises none."""
    left = remaining()
    seconds = MAX_SECONDS if left is None else min(MAX_SECONDS, left / 2)
    try:
        async with asyncio.timeout(seconds):
            return Attempt(await provider.embed(text))
    except TimeoutError:
        failure = f"{provider.model} did not answer within {seconds:.1f} seconds"
    except PROVIDER_FAILURES as error:
        failure = error.message
    log.warning("no embedding", model=provider.model, failure=failure)
    return Attempt(None, failure)


def provider_failure(error: MnemaError, provider: EmbeddingProvider) -> Unavailable:
    """A provider's error as the contract names it, for a call that is all about the vectors."""
    malformed = isinstance(error, Internal)
    return Unavailable(
        error.message,
        reason="PROVIDER_ANSWER_MALFORMED" if malformed else "PROVIDER_UNAVAILABLE",
        metadata={"provider": provider.model},
        retry_after=error.retry_after or _RETRY_AFTER_SECONDS,
    )
