"""From settings to a provider. Loads only what the settings name."""

from pathlib import Path

from services.providers.embeddings.base import EmbeddingProvider
from services.providers.embeddings.cache import CachedEmbedding
from services.providers.embeddings.observed import ObservedEmbedding, Observer
from services.providers.embeddings.settings import EmbeddingSettings
from services.providers.own_class import make_own
from services.runtime.errors import FailedPrecondition


def create_embedding_provider(
    settings: EmbeddingSettings, *, model_dir: Path, on_call: Observer | None = None
) -> CachedEmbedding:
    """The provider of the settings, behind a cache (its `clear()`, `hits`, `misses` are yours).

    Blocks while a local model is loaded, and a few seconds when the default one has to be
    assembled under `model_dir` first: call it before serving. `on_call` hears of every call
    that the cache did not answer. Raises FailedPrecondition when the settings do not fit.
    """
    provider = _provider(settings, model_dir)
    if settings.dims is not None and provider.dims != settings.dims:
        raise FailedPrecondition(
            f"{provider.model} gives vectors of {provider.dims} numbers, "
            f"but {settings.dims} are configured",
            metadata={"dims": str(provider.dims), "configured_dims": str(settings.dims)},
        )
    if on_call is not None:
        provider = ObservedEmbedding(provider, on_call)
    return CachedEmbedding(provider, settings.cache_size)


# The imports stand in the functions: onnxruntime and openai cost 20 MB and up to half a
# second each, and a process needs at most one of them.


def _provider(settings: EmbeddingSettings, model_dir: Path) -> EmbeddingProvider:
    if settings.provider == "local":
        return _local(settings, model_dir)
    if settings.is_remote:
        from services.providers.embeddings.openai_compatible import (  # noqa: PLC0415
            OpenAICompatibleEmbedding,
        )

        return OpenAICompatibleEmbedding(settings)
    return _users_own(settings)


def _local(settings: EmbeddingSettings, model_dir: Path) -> EmbeddingProvider:
    from services.providers.embeddings.assemble import default_model  # noqa: PLC0415
    from services.providers.embeddings.local import LocalEmbedding  # noqa: PLC0415

    folder = model_dir / settings.model if settings.model else default_model(model_dir)
    return LocalEmbedding(folder, threads=settings.threads)


def _users_own(settings: EmbeddingSettings) -> EmbeddingProvider:
    from services.providers.embeddings.adapted import AdaptedEmbedding  # noqa: PLC0415

    key = settings.api_key
    offered: dict[str, object] = {
        "settings": settings,
        "api_key": key.get_secret_value() if key else None,
        "model": settings.model,
        "base_url": settings.base_url,
        "dims": settings.dims,
    }
    needed = ("dims", "embed", "embed_batch")
    made = make_own("the embedding provider", settings.provider, settings.options, offered, needed)
    return AdaptedEmbedding(made, model=settings.model or settings.provider)
