"""The emotion a sentence expresses, by the VADER lexicon. Nothing is inferred about the person."""

from functools import cache

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from services.ingest.extraction.local.sentences import Sentence
from services.ingest.extraction.model import Emotion

EXPRESSED = 0.4  # |compound| below this is too weak to call a feeling

# A word that names the feeling decides the label.
_NAMED = {
    "excited": "excited", "thrilled": "excited", "pumped": "excited", "stoked": "excited",
    "happy": "happy", "glad": "happy", "joyful": "happy", "delighted": "happy",
    "grateful": "grateful", "thankful": "grateful", "blessed": "grateful",
    "proud": "proud", "relieved": "relieved", "calm": "calm", "peaceful": "calm",
    "relaxed": "calm", "hopeful": "hopeful", "optimistic": "hopeful",
    "sad": "sad", "heartbroken": "sad", "depressed": "sad", "grief": "sad", "grieving": "sad",
    "lonely": "lonely", "anxious": "anxious", "nervous": "anxious", "worried": "anxious",
    "scared": "afraid", "afraid": "afraid", "terrified": "afraid", "angry": "angry",
    "furious": "angry", "mad": "angry", "annoyed": "annoyed", "frustrated": "frustrated",
    "frustrating": "frustrated", "stressed": "stressed", "stressful": "stressed",
    "overwhelmed": "stressed", "swamped": "stressed", "disappointed": "disappointed",
    "exhausted": "tired", "tired": "tired", "ashamed": "ashamed", "embarrassed": "embarrassed",
    "jealous": "jealous", "confused": "confused", "surprised": "surprised", "bored": "bored",
}  # fmt: skip
_STRONG = frozenset(
    {"so", "very", "really", "extremely", "incredibly", "absolutely", "super", "totally"}
)
_STIRRED = frozenset({"excited", "angry", "afraid", "anxious", "stressed", "surprised"})
_QUIET = frozenset({"calm", "tired", "sad", "lonely", "bored", "relieved"})


@cache
def _analyzer() -> SentimentIntensityAnalyzer:
    return SentimentIntensityAnalyzer()


def emotion_of(sentence: Sentence) -> Emotion | None:
    """The feeling in a sentence, None when there is hardly one. About 0.03 ms.

    Valence is VADER's compound score. Arousal grows with the share of charged words, exclamation
    marks, strengthening words, and with feelings that are restless by nature.
    """
    scores = _analyzer().polarity_scores(sentence.text)
    valence = float(scores["compound"])
    named = next((_NAMED[word] for word in sentence.words if word in _NAMED), None)
    if abs(valence) < EXPRESSED and not (named and abs(valence) > 0.2):
        return None
    arousal = 0.25 + 0.35 * (scores["pos"] + scores["neg"])
    arousal += 0.1 * min(sentence.text.count("!"), 3)
    arousal += 0.1 * min(sum(word in _STRONG for word in sentence.words), 2)
    arousal += 0.2 * (named in _STIRRED) - 0.15 * (named in _QUIET)
    arousal = round(min(max(arousal, 0.05), 1.0), 2)
    return Emotion(round(valence, 3), arousal, _label(named, valence, arousal))


def _label(named: str | None, valence: float, arousal: float) -> str:
    negated_name = named is not None and (named in _PLEASANT) != (valence > 0)
    if named and not negated_name:
        return named
    if valence > 0:
        return "joyful" if arousal >= 0.6 else "pleased"
    return "distressed" if arousal >= 0.6 else "unhappy"


_PLEASANT = frozenset(
    {"excited", "happy", "grateful", "proud", "relieved", "calm", "hopeful", "surprised"}
)
