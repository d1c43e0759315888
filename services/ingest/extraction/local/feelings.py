"""The emotion that a sentence of English expresses, by the VADER lexicon.

Only what is expressed in so many words; nothing is inferred about the person. VADER (Hutto and
Gilbert 2014) rates some 7,500 words from -4 to 4 and knows negation ("not happy"), strengthening
and weakening words, capitals and exclamation marks.
"""

import re
from functools import cache

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from services.ingest.extraction.local.sentences import Sentence
from services.ingest.extraction.model import Emotion

EXPRESSED = 0.4  # |compound| below this is too weak to call a feeling ...
NAMED = 0.2  # ... unless the speaker gives it a name ("I'm nervous")
# The strongest word's rating and the emphasis of its punctuation, at their highest: 4 and 1.
FULL_INTENSITY = 5.0
AROUSED = 0.55

# What the speaker says of a feeling of their own; what follows may name it.
_OWN_FEELING = re.compile(
    r"\b(?:(?:i|we)(?:'m| am|'re| are| was| were|(?:'ve| have| had) been| feel| felt| got| get)|"
    r"feeling|(?:makes?|made|making|left|leaves) (?:me|us))(?: feel(?:ing)?)?"
    r"(?P<words>(?: [a-z'-]+){1,4})"
)
# A rating nearer to 0 is no feeling's name ("I'm sure": 1.3, but "I'm ok": 0.9 is weak).
_NAMING = 0.9


class _Analyzer(SentimentIntensityAnalyzer):  # type: ignore[misc]  # an untyped library
    """VADER, which also says how strong the strongest word of a sentence is, as rated there."""

    def score_valence(self, sentiments: list[float], text: str) -> dict[str, float]:
        """VADER's own scores, with "strongest" (0 to about 5) and "emphasis" (0 to about 1)."""
        scores: dict[str, float] = super().score_valence(sentiments, text)
        scores["strongest"] = max(map(abs, sentiments), default=0.0)
        scores["emphasis"] = self._punctuation_emphasis(text)
        return scores


@cache
def _analyzer() -> _Analyzer:
    return _Analyzer()


def english_emotion(sentence: Sentence) -> Emotion | None:
    """The feeling in a sentence, None when there is hardly one. About 0.03 ms.

    Valence is VADER's compound score. Arousal is the intensity that VADER gives the strongest
    word, plus the punctuation's, as a share of the highest there can be: arousal rises with the
    intensity of valence (Kuppens et al. 2013, "The relation between valence and arousal in
    subjective experience"). The label is the word by which the speaker calls the feeling, if
    VADER rates it as the sentence; else one of the four quarters of valence and arousal
    (Russell 1980, "A circumplex model of affect").
    """
    scores = _analyzer().polarity_scores(sentence.text)
    valence = float(scores["compound"])
    if abs(valence) < NAMED:
        return None
    name = _name_in(sentence, valence)
    if abs(valence) < EXPRESSED and name is None:
        return None
    intensity = scores["strongest"] + scores["emphasis"]
    arousal = round(min(intensity / FULL_INTENSITY, 1.0), 2)
    return Emotion(round(valence, 3), arousal, name or quarter_of(valence, arousal))


def quarter_of(valence: float, arousal: float) -> str:
    """A label for a feeling that nobody has named."""
    if valence > 0:
        return "joyful" if arousal >= AROUSED else "pleased"
    return "distressed" if arousal >= AROUSED else "unhappy"


def _name_in(sentence: Sentence, valence: float) -> str | None:
    """ "thrilled" of "I was so thrilled about it"."""
    for match in _OWN_FEELING.finditer(sentence.lower):
        words = match["words"].split()
        rated = [_rating(word) for word in words]
        for place, word in enumerate(words):
            following = rated[place + 1] if place + 1 < len(words) else 0.0
            # "pretty sad" is no "pretty"; "not happy" is unhappy, whatever it is called.
            if rated[place] * valence > 0 and not following:
                return str(word)
    return None


def _rating(word: str) -> float:
    rating = float(_analyzer().lexicon.get(word, 0.0))
    return rating if abs(rating) >= _NAMING else 0.0
