"""Who thinks in a digest: an LLM, or rules."""

from collections.abc import Sequence
from typing import Protocol

from services.providers.llm.base import (
    ChatMessage,
    Completion,
    LlmProvider,
    MalformedAnswer,
    ResponseSchema,
)
from services.reflect import prompts
from services.reflect.emotion import felt, recent_state
from services.reflect.insights import NewInsight, local_insights
from services.runtime.errors import MnemaError, Unavailable
from services.storage.digests import DigestMemory

_RETRY_AFTER_SECONDS = 5.0


class Thinker(Protocol):
    """Draws insights from memories, and says how somebody has been of late."""

    async def insights(
        self, memories: Sequence[DigestMemory], known: Sequence[str]
    ) -> list[NewInsight]:
        """What the memories lead to, beyond the known insights."""
        ...

    async def state(self, memories: Sequence[DigestMemory]) -> str:
        """The recent emotional state in words; empty if no memory expresses an emotion."""
        ...


class RuleThinker:
    """Rules: no call leaves the process."""

    async def insights(
        self, memories: Sequence[DigestMemory], known: Sequence[str]
    ) -> list[NewInsight]:
        """See Thinker."""
        return [insight for insight in local_insights(memories) if insight.content not in known]

    async def state(self, memories: Sequence[DigestMemory]) -> str:
        """See Thinker."""
        state = recent_state(memories)
        return state.in_words() if state else ""


class LlmThinker:
    """One LLM call for the insights, one for the emotional state if any emotion was expressed.

    Both raise Unavailable: PROVIDER_ANSWER_MALFORMED, or PROVIDER_UNAVAILABLE for every other
    failure of the provider, since none of them is the caller's.
    """

    def __init__(self, llm: LlmProvider) -> None:
        self._llm = llm

    async def insights(
        self, memories: Sequence[DigestMemory], known: Sequence[str]
    ) -> list[NewInsight]:
        """See Thinker."""
        prompt = prompts.insights_prompt(memories, known)
        answer = await self._ask(prompt, prompts.INSIGHTS_SCHEMA)
        return prompts.read_insights(answer, memories)

    async def state(self, memories: Sequence[DigestMemory]) -> str:
        """See Thinker."""
        if not felt(memories):
            return ""
        return prompts.read_state(
            await self._ask(prompts.state_prompt(memories), prompts.STATE_SCHEMA)
        )

    async def _ask(self, prompt: Sequence[ChatMessage], schema: ResponseSchema) -> Completion:
        try:
            return await self._llm.chat(prompt, response_schema=schema)
        except MalformedAnswer:
            raise
        except MnemaError as error:
            raise Unavailable(
                error.message,
                reason="PROVIDER_UNAVAILABLE",
                metadata={**error.metadata, "provider": self._llm.model},
                retry_after=error.retry_after or _RETRY_AFTER_SECONDS,
            ) from error
