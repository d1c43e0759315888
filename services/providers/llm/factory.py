"""From settings to a provider. The openai SDK is imported only when a model is used."""

from importlib import import_module
from typing import cast

from services.providers.llm.base import CallObserver, LlmProvider
from services.providers.llm.settings import LlmSettings
from services.runtime.errors import FailedPrecondition


def create_llm(settings: LlmSettings, on_call: CallObserver | None = None) -> LlmProvider | None:
    """The configured provider, or None for provider "none".

    `on_call` is told of every call, failed ones too. Raises FailedPrecondition when the class
    of an import path cannot be found or does not offer `model`, `chat` and `close`.
    """
    if not settings.enabled:
        return None
    if settings.is_import_path:
        return _imported(settings, on_call)
    from services.providers.llm.openai_compatible import OpenAiCompatible  # noqa: PLC0415

    return OpenAiCompatible(settings, on_call)


def _imported(settings: LlmSettings, on_call: CallObserver | None) -> LlmProvider:
    module_name, _, class_name = settings.provider.partition(":")
    try:
        factory = getattr(import_module(module_name), class_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise FailedPrecondition(
            f"cannot load the LLM provider {settings.provider!r}: {error}"
        ) from error
    provider = factory(settings, on_call)
    missing = [name for name in ("model", "chat", "close") if not hasattr(provider, name)]
    if missing:
        raise FailedPrecondition(
            f"the LLM provider {settings.provider!r} lacks {', '.join(missing)}"
        )
    return cast(LlmProvider, provider)
