"""The emotion a sentence expresses, in whichever of the languages it has words of."""

from services.ingest.extraction.local.chinese.feelings import chinese_emotion
from services.ingest.extraction.local.chinese.script import has_han
from services.ingest.extraction.local.feelings import english_emotion
from services.ingest.extraction.local.sentences import Sentence
from services.ingest.extraction.model import Emotion


def emotion_of(sentence: Sentence) -> Emotion | None:
    """The feeling in a sentence; None when it expresses none. Nothing is inferred."""
    if has_han(sentence.text):
        return chinese_emotion(sentence.text) or english_emotion(sentence)
    return english_emotion(sentence)
