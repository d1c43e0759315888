"""The emotion that a sentence of English expresses, by the VADER lexicon.

Only what is expressed in so many words; nothing is inferred about the person. VADER (Hutto and
Gilbert 2014) rates some 7,500 words from -4 to 4 and knows negation ("not happy"), strengthening
and weakening words, capitals and exclamation marks.
"""

import re
from functools import cache

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from services.ingest.extraction.local.sentences import Sentence
from services.ingest.extraction.local.stated_feelings import Stated, Whose, stated_feelings
from services.ingest.extraction.model import Emotion

EXPRESSED = 0.4  # |compound| below this is too weak to call a feeling ...
NAMED = 0.2  # ... unless the speaker gives it a name ("I'm nervous")
# The strongest word's rating and the emphasis of its punctuation, at their highest: 4 and 1.
FULL_INTENSITY = 5.0
AROUSED = 0.55
_PRETTY = re.compile(r"\bpretty\b", re.IGNORECASE)


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
    analyzer = _Analyzer()
    # It rates the word "feeling" itself, which weakens "feeling sad".
    analyzer.lexicon.pop("feeling", None)
    return analyzer


def english_emotion(sentence: Sentence) -> Emotion | None:
    """The feeling in a sentence, None when there is hardly one. From 0.03 ms.

    Valence is VADER's compound score. Arousal is the intensity that VADER gives the strongest
    word, plus the punctuation's, as a share of the highest there can be: arousal rises with the
    intensity of valence (Kuppens et al. 2013, "The relation between valence and arousal in
    subjective experience"). The label is the word by which the speaker calls the feeling, if
    VADER rates it as the sentence; else one of the four quarters of valence and arousal
    (Russell 1980, "A circumplex model of affect"). What others feel, what is only supposed and
    what is quoted is not rated.
    """
    stated = stated_feelings(sentence)
    scores = _analyzer().polarity_scores(_rated_part(sentence.plain, stated))
    valence = float(scores["compound"])
    if abs(valence) < NAMED:
        return None
    name = _name_in(stated, valence)
    if abs(valence) < EXPRESSED and name is None:
        return None
    intensity = scores["strongest"] + scores["emphasis"]
    arousal = round(min(intensity / FULL_INTENSITY, 1.0), 2)
    return Emotion(round(valence, 3), arousal, name or quarter_of(valence, arousal))


def states_own_feeling(sentence: Sentence) -> bool:
    """Whether the speaker says how they feel or felt, in so many words."""
    return any(
        each.whose is Whose.OWN and not _is_denied(each) for each in stated_feelings(sentence)
    )


def quarter_of(valence: float, arousal: float) -> str:
    """A label for a feeling that nobody has named."""
    if valence > 0:
        return "joyful" if arousal >= AROUSED else "pleased"
    return "distressed" if arousal >= AROUSED else "unhappy"


def _rated_part(text: str, stated: list[Stated]) -> str:
    """The text without the feelings that the speaker does not have.

    "Pretty nervous" is not pretty: that word only strengthens.
    """
    for each in reversed(stated):
        nobodys = each.whose in (Whose.OTHERS, Whose.NOBODYS) or _is_denied(each)
        said = "" if nobodys else _PRETTY.sub("very", text[each.begin : each.end])
        text = f"{text[: each.begin]}{said}{text[each.end :]}"
    return text


def _is_denied(stated: Stated) -> bool:
    """ "not nervous" names no feeling; "not happy" does."""
    return stated.negated and any(_rating(word) < 0 for word in stated.words)


def _name_in(stated: list[Stated], valence: float) -> str | None:
    """ "thrilled" of "I was so thrilled"; "not happy" is unhappy, whatever it is called."""
    own = (word for each in stated if each.whose is Whose.OWN for word in each.words)
    return next((word for word in own if _rating(word) * valence > 0), None)


def _rating(word: str) -> float:
    return float(_analyzer().lexicon.get(word, 0.0))
