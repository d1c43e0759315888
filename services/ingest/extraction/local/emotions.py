"""The emotion a sentence expresses, in whichever of the languages it has words of."""

import re

from services.ingest.extraction.local.chinese.feelings import chinese_emotion
from services.ingest.extraction.local.chinese.script import has_han
from services.ingest.extraction.local.chinese.stated_feelings import feelings_in
from services.ingest.extraction.local.feelings import english_emotion, states_own_feeling
from services.ingest.extraction.local.sentences import Sentence
from services.ingest.extraction.model import Emotion

_LATELY = re.compile(
    r"\b(?:lately|recently|these days|nowadays|right now|at the moment|currently|"
    r"(?:all|the whole|every) (?:day|night|week|weekend|month|year|morning|evening|time))\b"
)


def emotion_of(sentence: Sentence) -> Emotion | None:
    """The feeling in a sentence; None when it expresses none. Nothing is inferred."""
    if sentence.question:
        return None
    if has_han(sentence.text):
        return chinese_emotion(sentence.plain) or english_emotion(sentence)
    return english_emotion(sentence)


def is_feeling_of_a_time(sentence: Sentence, *, dated: bool) -> bool:
    """Whether the speaker states how they felt at some time, as "I was anxious yesterday" does.

    Without a time ("I'm happy!") it is small talk in English; a Chinese sentence needs no word
    for now, and one that has a feeling for its whole predicate tells it on purpose.
    """
    if sentence.question or sentence.stage_direction:
        return False
    timed = dated or _LATELY.search(sentence.lower) is not None
    stated = timed and states_own_feeling(sentence)
    if has_han(sentence.text):
        stated = stated or feelings_in(sentence.plain).stated
    return stated and emotion_of(sentence) is not None
