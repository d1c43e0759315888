"""How a language model fails at the first attempt, and what is said of it."""

from tests.openai_server import (
    Behaviour,
    Dropping,
    Failing,
    Hanging,
    MalformedJson,
    NoCompletion,
    RateLimited,
    SchemaViolating,
)

RETRY_AFTER = 7  # seconds; more than the backoff
# A word in a message, and how the model fails at the first attempt.
TROUBLES: dict[str, Behaviour] = {
    "walnut": MalformedJson(),
    "chestnut": SchemaViolating(),
    "hazelnut": NoCompletion(),
    "almond": RateLimited(RETRY_AFTER),
    "pistachio": Failing(500),
    "cashew": Hanging(),
    "peanut": Dropping(),
}
MALFORMED, AWAY = "PROVIDER_ANSWER_MALFORMED", "PROVIDER_UNAVAILABLE"
REASONS = {
    "walnut": MALFORMED,
    "chestnut": MALFORMED,
    "hazelnut": MALFORMED,
    "almond": "LIMIT_EXCEEDED",
    "pistachio": AWAY,
    "cashew": "DEADLINE_EXCEEDED",
    "peanut": AWAY,
}
HOPELESS = "coconut"  # fails as often as it is tried
