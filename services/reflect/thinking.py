"""Who thinks in a digest: an LLM, or rules."""

from collections.abc import Sequence
from typing import Protocol

from services.providers.llm.base import LlmProvider
from services.reflect import prompts
from services.reflect.emotion import felt, recent_state
from services.reflect.insights import NewInsight, local_insights
from services.storage.digests import DigestMemory


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
    """One LLM call for the insights, one for the emotional state if any emotion was expressed."""

    def __init__(self, llm: LlmProvider) -> None:
        self._llm = llm

    async def insights(
        self, memories: Sequence[DigestMemory], known: Sequence[str]
    ) -> list[NewInsight]:
        """See Thinker; raises what the provider raises, and MalformedAnswer."""
        answer = await self._llm.chat(
            prompts.insights_prompt(memories, known), response_schema=prompts.INSIGHTS_SCHEMA
        )
        return prompts.read_insights(answer, memories)

    async def state(self, memories: Sequence[DigestMemory]) -> str:
        """See Thinker; raises what the provider raises, and MalformedAnswer."""
        if not felt(memories):
            return ""
        answer = await self._llm.chat(
            prompts.state_prompt(memories), response_schema=prompts.STATE_SCHEMA
        )
        return prompts.read_state(answer)
