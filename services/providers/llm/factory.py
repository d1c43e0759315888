"""From settings to a provider. The openai SDK is imported only when a model is used."""

import inspect
from typing import Any, cast

from services.providers.llm.adapted import AdaptedLlm
from services.providers.llm.base import CallObserver, LlmProvider
from services.providers.llm.settings import LlmSettings
from services.providers.own_class import make_own

# What tells an LlmProvider from a class that only answers texts.
_OURS = "response_schema"


def create_llm(settings: LlmSettings, on_call: CallObserver | None = None) -> LlmProvider | None:
    """The configured provider, or None for provider "none".

    `on_call` is told of every call, failed ones too. Raises FailedPrecondition when the class
    of an import path cannot be had or has no `chat`.
    """
    if not settings.enabled:
        return None
    if settings.is_import_path:
        return _own(settings, on_call)
    from services.providers.llm.openai_compatible import OpenAiCompatible  # noqa: PLC0415

    return OpenAiCompatible(settings, on_call)


def _own(settings: LlmSettings, on_call: CallObserver | None) -> LlmProvider:
    key = settings.api_key
    offered: dict[str, Any] = {
        "settings": settings,
        "on_call": on_call,
        "api_key": key.get_secret_value() if key else None,
        "model": settings.model or None,
        "base_url": settings.base_url,
    }
    made = make_own("the LLM provider", settings.provider, settings.options, offered, ("chat",))
    if _OURS in inspect.signature(made.chat).parameters and hasattr(made, "close"):
        return cast(LlmProvider, made)
    return AdaptedLlm(made, settings, on_call)
