"""Reading a conversation message by message, and gathering what the rules find."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, tzinfo
from uuid import UUID

from services.ingest.extraction.local.chinese.findings import chinese_findings
from services.ingest.extraction.local.chinese.script import has_han
from services.ingest.extraction.local.chinese.times import chinese_time
from services.ingest.extraction.local.emotions import emotion_of, is_feeling_of_a_time
from services.ingest.extraction.local.finding import Edge, Finding, Subject
from services.ingest.extraction.local.importance import importance_of, raised_by
from services.ingest.extraction.local.names import names_in
from services.ingest.extraction.local.predicates import Speaker
from services.ingest.extraction.local.rules import findings_in
from services.ingest.extraction.local.sentences import Sentence, sentences_of, words_of
from services.ingest.extraction.local.statements import is_told, kind_of
from services.ingest.extraction.local.times import TimeMention, find_time, has_time_word
from services.ingest.extraction.local.vocabulary import COMMON
from services.ingest.extraction.model import (
    TASTE,
    ConversationBatch,
    EntityRef,
    ExtractedMemory,
    ExtractedTriple,
    Extraction,
    ProfileUpdate,
    SourceMessage,
    slot_of,
)

# A sentence is kept beside the facts found in it when it says at least this many words more.
WORDS_BEYOND_FACTS = 3
_ROLES = frozenset({"user", "assistant", "system", "human", "ai", "bot", "agent", "tool", "me"})
_STATEMENT_IMPORTANCE = {"decision": 7, "todo": 6, "instruction": 8}


class MessageReader:
    """Collects the memories, triples and profile updates of one batch."""

    def __init__(self, batch: ConversationBatch, zone: tzinfo) -> None:
        self._batch = batch
        self._zone = zone
        names = {_name_of(message) for message in batch.messages}
        self._people = frozenset(name.lower() for name in names if name)
        humans = {_name_of(message) for message in batch.messages if message.role == "user"}
        # With several people writing as the user, nobody's words are surely about the user.
        self._single_user = len(humans) <= 1
        self._memories: dict[tuple[str, str, datetime | None], ExtractedMemory] = {}
        self._triples: dict[tuple[object, ...], ExtractedTriple] = {}
        self._updates: dict[tuple[str, str], ProfileUpdate] = {}

    def extraction(self) -> Extraction:
        """What was gathered so far."""
        return Extraction(
            tuple(self._memories.values()),
            tuple(self._triples.values()),
            tuple(self._updates.values()),
        )

    def read(self, message: SourceMessage) -> None:
        """Take in one message. One that nobody's own facts may come from is passed over."""
        subject = self._subject_of(message)
        if subject is None:
            return
        speaker = Speaker(subject, self._people)
        for sentence in sentences_of(message.content):
            self._read_sentence(sentence, speaker, message)

    def _subject_of(self, message: SourceMessage) -> Subject | None:
        if message.role not in ("user", "assistant"):
            return None
        name = _name_of(message)
        if name:
            about_user = message.role == "user" and (
                self._single_user or name.lower() == self._batch.user_id.lower()
            )
            return Subject(EntityRef(name, "PERSON"), name, is_user=about_user)
        if message.role == "user":
            return Subject(EntityRef(self._batch.user_id, "USER"), None, is_user=True)
        return None

    def _read_sentence(self, sentence: Sentence, speaker: Speaker, message: SourceMessage) -> None:
        if has_han(sentence.text) and self._read_chinese(sentence, speaker, message):
            return
        when = self._time_in(sentence, message.said_at)
        said: set[str] = set()
        if not sentence.stage_direction:
            for finding, clause in findings_in(sentence, speaker):
                self._add_finding(finding, clause, sentence, when, message)
                said.update(words_of(finding.predicate))
        if not sentence.question:
            self._add_statement(sentence, speaker.subject, when, said, message)

    def _read_chinese(self, sentence: Sentence, speaker: Speaker, message: SourceMessage) -> bool:
        """Take in what Chinese rules find; False if that is nothing, as in "I live in 上海"."""
        subject = speaker.subject
        when = self._time_in(sentence, message.said_at)
        found = chinese_findings(sentence, subject, when)
        for finding, clause in found.findings:
            self._add_finding(finding, clause, sentence, when, message)
        more = not found.all_told or is_feeling_of_a_time(sentence, dated=when is not None)
        if found.findings and more and not sentence.question:
            self._add_statement(sentence, subject, when, set(), message)
        return bool(found.findings)

    def _time_in(self, sentence: Sentence, said_at: datetime) -> TimeMention | None:
        if has_han(sentence.text):
            when = chinese_time(sentence.plain, said_at, self._zone)
            if when is not None:
                return when
        if not has_time_word(sentence.word_set, sentence.lower):
            return None
        return find_time(sentence.plain, said_at, self._zone)

    def _add_finding(
        self,
        finding: Finding,
        clause: str,
        sentence: Sentence,
        when: TimeMention | None,
        message: SourceMessage,
    ) -> None:
        # The time belongs to the clause it stands in: "I live in Rome and met Anna last week".
        if when and sentence.plain[when.begin : when.end] not in clause:
            when = None
        subject = finding.subject
        expresses = finding.memory_type != "fact" or finding.category == TASTE
        own = (subject.ref,) if subject.is_node else ()
        objects = tuple(edge.object for edge in finding.edges)
        self._add_memory(
            ExtractedMemory(
                memory_type=finding.memory_type,
                content=finding.content,
                importance=min(10, finding.importance + raised_by(sentence)),
                confidence=finding.confidence,
                emotion=emotion_of(sentence) if expresses else None,
                event_at=when.start if when and finding.dated else None,
                entities=tuple(dict.fromkeys((*own, *objects))),
                slot=slot_of(subject.ref, finding.slot) if finding.slot else None,
                category=finding.category,
                source_message_ids=(message.message_id,),
            )
        )
        if subject.is_node:
            for edge in finding.edges:
                self._add_triple(finding, edge, when, message.message_id)
        if subject.is_user:
            for key, value, mode in finding.profile:
                update = ProfileUpdate(key, value, mode, (message.message_id,))
                # The last word on a single-valued key counts; a list takes each value once.
                self._updates[key, "" if mode == "set" else str(value)] = update

    def _add_triple(
        self, finding: Finding, edge: Edge, when: TimeMention | None, message_id: UUID
    ) -> None:
        start = when.start if when else None
        triple = ExtractedTriple(
            subject=finding.subject.ref,
            relation=edge.relation,
            custom_relation=edge.custom,
            object=edge.object,
            content=finding.content,
            confidence=finding.confidence,
            valid_from=None if edge.ended else start,
            valid_to=start if edge.ended and when and not when.since else None,
            ended=edge.ended,
            source_message_ids=(message_id,),
        )
        key = (triple.subject, edge.relation, edge.custom, edge.object.node_id, edge.ended)
        known = self._triples.pop(key, None)
        if known:
            triple = replace(
                triple,
                valid_from=known.valid_from or triple.valid_from,
                valid_to=known.valid_to or triple.valid_to,
                confidence=max(known.confidence, triple.confidence),
                source_message_ids=_joined(known.source_message_ids, triple.source_message_ids),
            )
        self._triples[key] = triple

    def _add_statement(
        self,
        sentence: Sentence,
        subject: Subject,
        when: TimeMention | None,
        said: set[str],
        message: SourceMessage,
    ) -> None:
        entities = names_in(sentence.text, self._people)
        dated = when is not None
        kind = kind_of(sentence, dated=dated)
        if kind is None:
            felt = is_feeling_of_a_time(sentence, dated=dated)
            beyond = {word for word in sentence.word_set - said - COMMON if len(word) > 2}
            if said and len(beyond) < WORDS_BEYOND_FACTS and not felt:
                return
            others = [entity for entity in entities if entity.name.lower() not in self._people]
            if not is_told(sentence, dated=dated, names=len(others), felt=felt):
                return
        importance = _STATEMENT_IMPORTANCE.get(kind or "") or importance_of(
            sentence, dated=dated, names=len(entities)
        )
        own = (subject.ref,)
        self._add_memory(
            ExtractedMemory(
                memory_type=kind or "episodic",
                content=_quoted(sentence, subject),
                importance=importance,
                confidence=0.7,
                emotion=None if sentence.stage_direction else emotion_of(sentence),
                event_at=when.start if when else None,
                entities=tuple(dict.fromkeys((*own, *entities))),
                source_message_ids=(message.message_id,),
            )
        )

    def _add_memory(self, memory: ExtractedMemory) -> None:
        """Keep a memory; said again, it moves to the end and gains a source.

        What happened on two days is two memories, even in the same words.
        """
        day = memory.event_at if memory.memory_type == "episodic" else None
        key = (memory.memory_type, memory.content, day)
        known = self._memories.pop(key, None)
        if known:
            memory = replace(
                memory,
                event_at=known.event_at or memory.event_at,
                importance=max(known.importance, memory.importance),
                source_message_ids=_joined(known.source_message_ids, memory.source_message_ids),
            )
        self._memories[key] = memory


def _name_of(message: SourceMessage) -> str | None:
    """The speaker's name; a mere role ("user") in its place names nobody."""
    name = (message.speaker or "").strip()
    return None if not name or name.lower() in _ROLES else name


def _quoted(sentence: Sentence, subject: Subject) -> str:
    text = sentence.text.strip()
    if sentence.stage_direction:
        whole = f"{subject.display} {text}" if subject.display else text
        return whole if whole.endswith(".") else f"{whole}."
    return f"{subject.display}: {text}" if subject.display else text[0].upper() + text[1:]


def _joined(first: Iterable[UUID], second: Iterable[UUID]) -> tuple[UUID, ...]:
    return tuple(dict.fromkeys((*first, *second)))
