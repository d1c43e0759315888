"""How tests/openai_server.py can be told to answer a call."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ok:
    """A good answer: `content` as it is (text or JSON), or what the server's callback says."""

    content: object = None


@dataclass(frozen=True, slots=True)
class MalformedJson:
    """A completion whose text is JSON that was cut off."""

    content: str = '{"facts": [{"content": "Works at'


@dataclass(frozen=True, slots=True)
class SchemaViolating:
    """A completion whose text is JSON of the wrong shape."""

    content: str = '{"facts": "Works at Google", "episodes": [{"text": 1}]}'


@dataclass(frozen=True, slots=True)
class NoCompletion:
    """Status 200 with a body that is no completion at all."""

    body: str = "<html>welcome</html>"
    content_type: str = "text/html"


@dataclass(frozen=True, slots=True)
class RateLimited:
    """429; `retry_after` goes into the header of that name: seconds, or an HTTP date."""

    retry_after: float | str | None = 1


@dataclass(frozen=True, slots=True)
class Failing:
    """An error status with an error body."""

    status: int = 500
    message: str = "the server had an error"


@dataclass(frozen=True, slots=True)
class Hanging:
    """No answer until the server is closed."""


@dataclass(frozen=True, slots=True)
class Dropping:
    """The connection is closed without an answer."""


Behaviour = (
    Ok | MalformedJson | SchemaViolating | NoCompletion | RateLimited | Failing | Hanging | Dropping
)
