"""Extraction by a language model: one chat call for a whole batch."""

from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from services.ingest.extraction.answer import (
    EntityAnswer,
    EpisodeAnswer,
    ExtractionAnswer,
    FactAnswer,
    ProfileAnswer,
    TripleAnswer,
    parse_answer,
)
from services.ingest.extraction.local.times import find_time
from services.ingest.extraction.model import (
    TASTE,
    ConversationBatch,
    EntityRef,
    ExtractedMemory,
    ExtractedTriple,
    Extraction,
    LlmUsage,
    ProfileUpdate,
    SourceMessage,
    slot_of,
)
from services.ingest.extraction.prompt import (
    EXTRACTION_SCHEMA,
    SCHEMA_WITHOUT_TRIPLES,
    messages_of,
)
from services.providers.llm.base import LlmProvider
from services.runtime.limits import is_accepted

USER_NAMES = frozenset({"", "user", "the user", "i", "me"})


class LlmExtractor:
    """Asks the model once per batch; an answer that does not fit is an error, never a half result.

    Raises what LlmProvider.chat raises, and MalformedAnswer. All but FailedPrecondition are worth a
    later retry, which is left to the job queue.
    """

    def __init__(
        self, llm: LlmProvider, *, temperature: float | None = None, max_tokens: int | None = None
    ) -> None:
        """None takes the provider's own settings."""
        self._llm = llm
        self._temperature = temperature
        self._max_tokens = max_tokens

    @property
    def name(self) -> str:
        """ "llm:" and the model's name."""
        return f"llm:{self._llm.model}"

    async def extract(self, batch: ConversationBatch) -> Extraction:
        """See Extractor.extract. A batch without text costs no call."""
        if not any(message.content.strip() for message in batch.messages):
            return Extraction()
        completion = await self._llm.chat(
            messages_of(batch),
            temperature=self._temperature,
            max_tokens=self._max_tokens,
            response_schema=EXTRACTION_SCHEMA if batch.triples else SCHEMA_WITHOUT_TRIPLES,
        )
        usage = LlmUsage(
            completion.model,
            completion.prompt_tokens,
            completion.completion_tokens,
            completion.duration_ms,
        )
        return _Reading(batch).extraction(parse_answer(completion.text), usage)


class _Reading:
    """An answer seen against the batch it is about: indexes become ids, words become times."""

    def __init__(self, batch: ConversationBatch) -> None:
        self._batch = batch
        self._zone = ZoneInfo(batch.timezone)

    def extraction(self, answer: ExtractionAnswer, usage: LlmUsage) -> Extraction:
        return Extraction(
            memories=(
                *(self._fact(fact) for fact in answer.facts),
                *(self._episode(episode) for episode in answer.episodes),
            ),
            triples=tuple(self._triple(triple) for triple in answer.triples),
            profile_updates=tuple(self._profile(update) for update in answer.profile_updates),
            usage=usage,
        )

    def _fact(self, fact: FactAnswer) -> ExtractedMemory:
        subject = self._entity(EntityAnswer(name=fact.subject or "user", type="PERSON"))
        return ExtractedMemory(
            memory_type="fact" if fact.type == TASTE else fact.type,
            content=fact.content,
            importance=fact.importance,
            confidence=fact.confidence,
            emotion=fact.emotion.value() if fact.emotion else None,
            entities=self._entities(fact.entities),
            slot=slot_of(subject, fact.slot) if fact.slot else None,
            category=TASTE if fact.type == TASTE else fact.category,
            source_message_ids=self._ids(fact.sources),
        )

    def _episode(self, episode: EpisodeAnswer) -> ExtractedMemory:
        said_at = self._sources(episode.sources)[0].said_at
        event_at = self._moment(episode.event_at)
        if event_at is None and episode.event_text:
            found = find_time(episode.event_text, said_at, self._zone)
            event_at = found.start if found else None
        return ExtractedMemory(
            memory_type="episodic",
            content=episode.content,
            importance=episode.importance,
            confidence=episode.confidence,
            emotion=episode.emotion.value() if episode.emotion else None,
            event_at=event_at,
            entities=self._entities(episode.entities),
            source_message_ids=self._ids(episode.sources),
        )

    def _triple(self, triple: TripleAnswer) -> ExtractedTriple:
        relation, custom_relation = triple.edge()
        valid_from, valid_to = self._moment(triple.valid_from), self._moment(triple.valid_to)
        if valid_from and valid_to and valid_to <= valid_from:
            valid_from = None
        return ExtractedTriple(
            subject=self._entity(triple.subject),
            relation=relation,
            custom_relation=custom_relation,
            object=self._entity(triple.object),
            content=triple.content,
            confidence=triple.confidence,
            valid_from=valid_from,
            valid_to=valid_to,
            ended=triple.ended,
            source_message_ids=self._ids(triple.sources),
        )

    def _profile(self, update: ProfileAnswer) -> ProfileUpdate:
        return ProfileUpdate(update.key, update.value, update.mode, self._ids(update.sources))

    def _entity(self, entity: EntityAnswer) -> EntityRef:
        if entity.name.casefold() in USER_NAMES or entity.type == "USER":
            return EntityRef(self._batch.user_id, "USER")
        return EntityRef(entity.name, entity.type)

    def _entities(self, entities: list[EntityAnswer]) -> tuple[EntityRef, ...]:
        return tuple(dict.fromkeys(self._entity(entity) for entity in entities))

    def _sources(self, indexes: list[int]) -> list[SourceMessage]:
        """The messages meant; all of the batch when no index is right, for it came from there."""
        messages = self._batch.messages
        meant = [messages[i] for i in dict.fromkeys(indexes) if 0 <= i < len(messages)]
        return meant or list(messages)

    def _ids(self, indexes: list[int]) -> tuple[UUID, ...]:
        return tuple(message.message_id for message in self._sources(indexes))

    def _moment(self, text: str | None) -> datetime | None:
        """An ISO 8601 time; one without an offset is meant in the batch's timezone.

        None for what the contract does not take for a time: models name the year 1, or 9999.
        """
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text.strip())
            moment = moment if moment.tzinfo else moment.replace(tzinfo=self._zone)
            moment = moment.astimezone(UTC)
        except (ValueError, OverflowError):
            return None
        return moment if is_accepted(moment) else None
