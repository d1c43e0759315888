"""Reading JSON out of a model's answer."""

import json
import re

from services.providers.llm.base import MalformedAnswer

# Reasoning models put their thoughts first; many models wrap JSON in a Markdown fence.
_THOUGHTS = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_FENCE = re.compile(r"\A```[\w-]*\s*\n?|\n?\s*```\s*\Z")


def json_object(answer: str) -> dict[str, object]:
    """The JSON object in `answer`, or MalformedAnswer (cut off, no JSON, not an object)."""
    text = _FENCE.sub("", _THOUGHTS.sub("", answer).strip()).strip()
    try:
        value = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise MalformedAnswer(f"the model's answer is not JSON: {error}", answer) from error
    if not isinstance(value, dict):
        raise MalformedAnswer("the model's answer is JSON but not an object", answer)
    return value
