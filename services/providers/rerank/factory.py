"""From settings to a reranker."""

from services.providers.rerank.base import Reranker
from services.providers.rerank.settings import RerankSettings


def create_reranker(settings: RerankSettings) -> Reranker | None:
    """The configured reranker, or None if there is none."""
    if not settings.enabled:
        return None
    from services.providers.rerank.http_reranker import HttpReranker  # noqa: PLC0415

    return HttpReranker(settings)
