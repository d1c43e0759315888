"""Having the best hits judged again by a model that reads them together with the query."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from mnema.v1.vector_service_pb2 import SearchHit
from services.providers.rerank.base import Reranker
from services.runtime.context import remaining
from services.vector.embedding import PROVIDER_FAILURES

log = structlog.get_logger("mnema.vector")

MAX_SECONDS = 5.0
"""How long an answer waits for the model; half of the call's time at most."""

_NONE = "no reranking model is configured (MNEMA_RERANK__BASE_URL)"


@dataclass(frozen=True, slots=True)
class Reranked:
    """The hits, the best first; in the order they came if `failure` says why."""

    hits: Sequence[SearchHit]
    failure: str = ""


async def try_rerank(reranker: Reranker | None, query: str, hits: Sequence[SearchHit]) -> Reranked:
    """The hits by the model's judgement of the first `top_n`. Logs a failure; raises none.

    The scores of those that were judged change hands: the best by the model has the best of
    them. So the answer stays sorted by `relevance.score`, which recall goes on with.
    """
    if reranker is None:
        return Reranked(hits, _NONE)
    judged, rest = hits[: reranker.top_n], hits[reranker.top_n :]
    left = remaining()
    seconds = MAX_SECONDS if left is None else min(MAX_SECONDS, left / 2)
    try:
        async with asyncio.timeout(seconds):
            scores = await reranker.rerank(query, [_text(hit) for hit in judged])
    except TimeoutError:
        failure = f"{reranker.model} did not answer within {seconds:.1f} seconds"
    except PROVIDER_FAILURES as error:
        failure = error.message
    else:
        return Reranked([*_by(judged, scores), *rest])
    log.warning("not reranked", model=reranker.model, failure=failure)
    return Reranked(hits, failure)


def _by(hits: Sequence[SearchHit], scores: Sequence[float]) -> list[SearchHit]:
    order = sorted(range(len(hits)), key=lambda at: -scores[at])
    given = sorted((hit.relevance.score for hit in hits), reverse=True)
    ranked = []
    for at, score in zip(order, given, strict=True):
        hit = SearchHit()
        hit.CopyFrom(hits[at])
        hit.relevance.score = score
        hit.relevance.rerank_score = scores[at]
        ranked.append(hit)
    return ranked


def _text(hit: SearchHit) -> str:
    """What the model reads: the passage that fits best, with who said it."""
    if hit.HasField("passage"):
        content = hit.passage.content
    elif hit.HasField("memory"):
        content = hit.memory.content
    elif hit.HasField("chunk"):
        content = hit.chunk.content
    else:
        content = hit.message.content
    speaker = hit.message.speaker
    return f"{speaker}: {content}" if speaker else content
