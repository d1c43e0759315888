"""Any server that speaks OpenAI's chat-completions protocol."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import openai
from openai.types.chat import ChatCompletion

from services.providers.llm.base import (
    CallObserver,
    ChatMessage,
    Completion,
    LlmCall,
    MalformedAnswer,
    ResponseSchema,
)
from services.providers.llm.settings import LlmSettings
from services.runtime.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    MnemaError,
    ResourceExhausted,
    Unavailable,
)

SERVICE = "the LLM provider"


@dataclass(frozen=True, slots=True)
class _Dialect:
    """What this server was found to accept. Learnt from its refusals, kept for the process."""

    json_mode: str = "json_schema"  # then "json_object", then "text"
    length_field: str = "max_tokens"  # newer OpenAI models want max_completion_tokens
    temperature: bool = True  # some reasoning models take only their default


@dataclass(frozen=True, slots=True)
class _Request:
    messages: list[dict[str, str]]
    temperature: float
    max_tokens: int
    schema: ResponseSchema | None


class OpenAiCompatible:
    """A model behind an OpenAI-compatible address.

    One HTTP request a call, except when the server refuses (400, 422) a feature: then the same
    call asks again without it, and later calls start there. Bound to the event loop it is used in.
    """

    def __init__(self, settings: LlmSettings, on_call: CallObserver | None = None) -> None:
        self._settings = settings
        self._on_call = on_call
        self._dialect = _Dialect()
        key = settings.api_key.get_secret_value() if settings.api_key else "none"
        self._client = openai.AsyncOpenAI(
            base_url=settings.url, api_key=key, timeout=settings.timeout_seconds, max_retries=0
        )

    @property
    def model(self) -> str:
        """The configured model."""
        return self._settings.model

    async def chat(
        self,
        messages: Sequence[ChatMessage],
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
        response_schema: ResponseSchema | None = None,
    ) -> Completion:
        """See LlmProvider.chat."""
        request = _Request(
            [{"role": message.role, "content": message.content} for message in messages],
            self._settings.temperature if temperature is None else temperature,
            max_tokens or self._settings.max_tokens,
            response_schema,
        )
        started = time.perf_counter()
        success, used = False, (0, 0)
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                completion = await self._ask(request)
            used = _tokens_of(completion)
            text = _text_of(completion)
            success = True
        except TimeoutError as error:
            raise DeadlineExceeded(
                f"{SERVICE} did not answer within {self._settings.timeout_seconds:g} s",
                metadata={"timeout_seconds": f"{self._settings.timeout_seconds:g}"},
            ) from error
        finally:
            duration_ms = (time.perf_counter() - started) * 1000
            self._observe(request, duration_ms, success, used)
        return Completion(
            text=text,
            model=completion.model or self.model,
            prompt_tokens=used[0],
            completion_tokens=used[1],
            duration_ms=duration_ms,
        )

    async def close(self) -> None:
        """Close the connection pool."""
        await self._client.close()

    async def _ask(self, request: _Request) -> ChatCompletion:
        dialect = self._dialect
        while True:
            try:
                answer = await self._client.chat.completions.create(
                    **_arguments(self.model, request, dialect)
                )
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                simpler = _without_refused(dialect, error, request)
                if simpler is None:
                    raise _refused(error) from error
                dialect = simpler
                continue
            except openai.APIError as error:
                raise _translated(error) from error
            except json.JSONDecodeError as error:
                raise MalformedAnswer(f"{SERVICE} did not answer with JSON", error.doc) from error
            self._dialect = dialect
            if not isinstance(answer, ChatCompletion):
                raise MalformedAnswer(f"{SERVICE} did not answer a completion", str(answer))
            return answer

    def _observe(
        self, request: _Request, duration_ms: float, success: bool, used: tuple[int, int]
    ) -> None:
        if self._on_call:
            asked = (request.max_tokens, request.temperature)
            self._on_call(LlmCall(duration_ms, self.model, *asked, success, *used))


def _arguments(model: str, request: _Request, dialect: _Dialect) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "model": model,
        "messages": request.messages,
        dialect.length_field: request.max_tokens,
    }
    if dialect.temperature:
        arguments["temperature"] = request.temperature
    if request.schema and dialect.json_mode == "json_schema":
        arguments["response_format"] = {
            "type": "json_schema",
            "json_schema": {
                "name": request.schema.name,
                "schema": request.schema.schema,
                "strict": True,
            },
        }
    elif request.schema and dialect.json_mode == "json_object":
        arguments["response_format"] = {"type": "json_object"}
    return arguments


def _without_refused(
    dialect: _Dialect, error: openai.APIStatusError, request: _Request
) -> _Dialect | None:
    """The dialect without the feature that `error` complains about; None if it names none."""
    complaint = f"{error.message} {error.body}".lower()
    if "max_completion_tokens" in complaint and dialect.length_field == "max_tokens":
        return replace(dialect, length_field="max_completion_tokens")
    if request.schema and any(
        word in complaint for word in ("response_format", "json_schema", "json_object", "schema")
    ):
        if dialect.json_mode == "json_schema":
            return replace(dialect, json_mode="json_object")
        if dialect.json_mode == "json_object":
            return replace(dialect, json_mode="text")
    if "temperature" in complaint and dialect.temperature:
        return replace(dialect, temperature=False)
    return None


def _refused(error: openai.APIStatusError) -> MnemaError:
    return FailedPrecondition(
        f"{SERVICE} refused the request ({error.status_code}): {error.message[:300]}",
        metadata={"status": str(error.status_code)},
    )


def _translated(error: openai.APIError) -> MnemaError:
    """The SDK's error as ours."""
    if isinstance(error, openai.APIStatusError):
        return _translated_status(error)
    if isinstance(error, openai.APITimeoutError):
        return DeadlineExceeded(f"{SERVICE} did not answer in time")
    if isinstance(error, openai.APIConnectionError):
        return Unavailable(f"{SERVICE} cannot be reached: {error.__cause__ or error}")
    if isinstance(error, openai.APIResponseValidationError):
        return MalformedAnswer(f"{SERVICE} did not answer a completion", str(error.body))
    return Unavailable(f"{SERVICE} failed: {error.message[:300]}")


def _translated_status(error: openai.APIStatusError) -> MnemaError:
    status = error.status_code
    if status == 429:
        return ResourceExhausted(
            f"{SERVICE} limits the rate of calls", retry_after=_retry_after(error)
        )
    if status == 408:
        return DeadlineExceeded(f"{SERVICE} gave up on the request (408)")
    if status >= 500 or status == 409:
        return Unavailable(
            f"{SERVICE} failed ({status})",
            metadata={"status": str(status)},
            retry_after=_retry_after(error),
        )
    return _refused(error)


def _retry_after(error: openai.APIStatusError) -> float | None:
    """Seconds until the server wants to be asked again, from either form of the header."""
    header = error.response.headers.get("retry-after", "")
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _tokens_of(completion: ChatCompletion) -> tuple[int, int]:
    """Of the prompt and of the answer."""
    usage = completion.usage
    return (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)


def _text_of(completion: ChatCompletion) -> str:
    if not completion.choices:
        raise MalformedAnswer(f"{SERVICE} answered without a choice")
    choice = completion.choices[0]
    text = choice.message.content if choice.message else None
    if not text:
        raise MalformedAnswer(f"{SERVICE} answered without text (finish: {choice.finish_reason})")
    return text
