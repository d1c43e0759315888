"""A user's language model class, made to fit."""

import asyncio
import inspect
import time
from collections.abc import Sequence
from typing import Any, Protocol

from services.providers.llm.base import (
    CallObserver,
    ChatMessage,
    Completion,
    LlmCall,
    MalformedAnswer,
    ResponseSchema,
)
from services.providers.llm.settings import LlmSettings
from services.providers.own_class import accepted, failed
from services.runtime.errors import DeadlineExceeded


class UserLlm(Protocol):
    """What a class of the user must have to serve as a language model.

    `model` (its name) and `close()`, sync or async, are used where they exist. The keyword
    arguments are `temperature`, `max_tokens` and, where JSON is asked for, `response_format` as
    OpenAI has it; one that `chat` does not take is not given.
    """

    async def chat(self, messages: list[dict[str, str]], **kwargs: Any) -> str:
        """The answer to the messages, each with "role" and "content"."""


class AdaptedLlm:
    """Wraps a `UserLlm`: gives it the time limit, tells the observer, checks the answer."""

    def __init__(self, inner: UserLlm, settings: LlmSettings, on_call: CallObserver | None) -> None:
        self._inner = inner
        self._settings = settings
        self._on_call = on_call

    @property
    def model(self) -> str:
        """The configured name, else the class's own, else its import path."""
        own = getattr(self._inner, "model", None)
        return self._settings.model or str(own or self._settings.provider)

    async def chat(
        self,
        messages: Sequence[ChatMessage],
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
        response_schema: ResponseSchema | None = None,
    ) -> Completion:
        """See LlmProvider.chat."""
        settings = self._settings
        asked: dict[str, object] = {
            "temperature": settings.temperature if temperature is None else temperature,
            "max_tokens": max_tokens or settings.max_tokens,
        }
        if response_schema is not None:
            asked["response_format"] = _format_of(response_schema)
        given = [{"role": message.role, "content": message.content} for message in messages]
        started = time.perf_counter()
        success = False
        try:
            async with asyncio.timeout(settings.timeout_seconds):
                answer = self._inner.chat(given, **accepted(self._inner.chat, asked))
                text = await answer if inspect.isawaitable(answer) else answer
            success = True
        except TimeoutError as error:
            raise DeadlineExceeded(
                f"{settings.provider} did not answer within {settings.timeout_seconds:g} s"
            ) from error
        except Exception as error:  # foreign code: it may raise anything
            raise failed(settings.provider, error) from error
        finally:
            duration_ms = (time.perf_counter() - started) * 1000
            self._observe(asked, duration_ms, success)
        if not isinstance(text, str) or not text:
            raise MalformedAnswer(f"{settings.provider} answered no text", str(text or ""))
        return Completion(text, self.model, 0, 0, duration_ms)

    async def close(self) -> None:
        """Calls the user's `close`, if there is one."""
        close = getattr(self._inner, "close", None)
        outcome = close() if close is not None else None
        if inspect.isawaitable(outcome):
            await outcome

    def _observe(self, asked: dict[str, Any], duration_ms: float, success: bool) -> None:
        if self._on_call:
            self._on_call(
                LlmCall(duration_ms, self.model, asked["max_tokens"], asked["temperature"], success)
            )


def _format_of(schema: ResponseSchema) -> dict[str, object]:
    named = {"name": schema.name, "schema": schema.schema, "strict": True}
    return {"type": "json_schema", "json_schema": named}
