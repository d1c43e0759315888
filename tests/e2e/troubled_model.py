"""A language model whose answers follow from the prompt, and which fails by the word."""

import json
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from tests.openai_server import Behaviour, ChatRequest, OpenAiServer, canned_extraction

EXTRACTION = "extraction"
INSIGHTS = "insights"
STATE = "emotional_state"
INSIGHT = "Work and travel come up again and again."
STATE_IN_WORDS = "Cheerful about the new job."


class TroubledServer(OpenAiServer):
    """An OpenAiServer that takes its behaviour from the words in a prompt.

    `troubles` has, by a word, what the first calls with that word get, one each; then all is
    well. `asked_at` are the moments of those calls, on the monotonic clock.
    """

    def __init__(self, troubles: Mapping[str, Sequence[Behaviour]]) -> None:
        super().__init__(answer)
        self._troubles = {word: deque(behaviours) for word, behaviours in troubles.items()}
        self.asked_at: dict[str, list[float]] = {word: [] for word in troubles}

    def take(self, request: ChatRequest) -> Behaviour:
        behaviour = super().take(request)
        for word, behaviours in self._troubles.items():
            if word in request.user_text:
                self.asked_at[word].append(time.monotonic())
                if behaviours:
                    return behaviours.popleft()
        return behaviour

    def kinds(self) -> list[str]:
        """What was asked for, in order: EXTRACTION, INSIGHTS, STATE."""
        return [kind_of(request) for request in self.requests]


def kind_of(request: ChatRequest) -> str:
    """By the name of the schema that the answer is to have."""
    return str(request.body["response_format"]["json_schema"]["name"])


def answer(request: ChatRequest) -> object:
    """What is asked for: an extraction with feelings and a profile, an insight, or a state."""
    if kind_of(request) == INSIGHTS:
        memories = json.loads(request.user_text)["memories"]
        numbers = [each["number"] for each in memories]
        return {"insights": [{"content": INSIGHT, "category": "pattern", "memories": numbers}]}
    if kind_of(request) == STATE:
        return {"latest_state": STATE_IN_WORDS}
    found: Any = canned_extraction(request)
    for fact in found["facts"]:
        if "thrilled" in fact["content"]:
            fact["emotion"] = {"valence": 0.9, "arousal": 0.8, "label": "excited"}
    found["profile_updates"] = [
        {"key": "occupation", "value": fact["content"], "mode": "set", "sources": fact["sources"]}
        for fact in found["facts"]
        if fact["slot"] == "employer"
    ]
    return found
