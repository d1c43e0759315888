"""The one thing Mnema asks of a language model: a chat completion."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from services.runtime.errors import Unavailable

SNIPPET_CHARACTERS = 200


class MalformedAnswer(Unavailable):
    """The model answered, but not with what was asked for. Asking again may help.

    `snippet` is the beginning of the answer. It may quote a conversation, so it is an
    attribute for whoever looks into the failure and never part of the message.
    """

    default_reason = "PROVIDER_ANSWER_MALFORMED"

    def __init__(self, message: str, answer: str = "") -> None:
        super().__init__(message)
        self.snippet = answer[:SNIPPET_CHARACTERS]


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One turn of the prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class ResponseSchema:
    """A JSON schema the answer has to follow, under the name the provider shows in its errors."""

    name: str
    schema: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Completion:
    """The answer. Token counts are the provider's, 0 when it gives none."""

    text: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    duration_ms: float


@dataclass(frozen=True, slots=True)
class LlmCall:
    """One call as an observer sees it, made or failed. `max_tokens` is the limit asked for.

    Token counts are the provider's, 0 where it gives none.
    """

    duration_ms: float
    model: str
    max_tokens: int
    temperature: float
    success: bool
    prompt_tokens: int = 0
    completion_tokens: int = 0


CallObserver: TypeAlias = Callable[[LlmCall], None]


class LlmProvider(Protocol):
    """A language model behind an interface. Implementations are safe to use from many tasks."""

    @property
    def model(self) -> str:
        """The model's name, as in its provider's list."""
        ...

    async def chat(
        self,
        messages: Sequence[ChatMessage],
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
        response_schema: ResponseSchema | None = None,
    ) -> Completion:
        """Ask once. None means the configured value.

        With `response_schema` the answer should be JSON of that shape; the caller still has to
        check it, as not every server enforces it. Never retries: the job queue does.

        Raises ResourceExhausted (rate limit; `retry_after` when the server says), Unavailable
        (server or network failed), DeadlineExceeded, MalformedAnswer (no usable text came back)
        and FailedPrecondition (refused for good: wrong key, model or request).
        """
        ...

    async def close(self) -> None:
        """Release connections. The provider is not used afterwards."""
        ...
