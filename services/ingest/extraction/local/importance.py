"""How much a statement matters, 1 to 10, by what it is about."""

from services.ingest.extraction.local.lexicon import words
from services.ingest.extraction.local.sentences import Sentence

_TURNS_OF_LIFE = words("""
married marry wedding engaged divorce divorced pregnant pregnancy baby born birth adopted adoption
died death passed funeral cancer diagnosed surgery hospital accident disease depression suicide
fired laid-off promoted promotion graduated graduation retired immigrated transition transgender
bankruptcy funeral miscarriage widowed therapy addiction sober
""")
_PERSONAL = words("""
mother father mom mum dad sister brother son daughter wife husband partner kids children family
grandma grandpa grandmother grandfather friend boyfriend girlfriend fiancé fiancée job career
business company degree university college health doctor allergic allergy moved house home dream
goal goals passion birthday anniversary volunteer volunteering interview
""")
STATEMENT = 4


def importance_of(sentence: Sentence, *, dated: bool, names: int) -> int:
    """Of a sentence kept as it was said: 3 for little, up to 8 for a turn of life."""
    score = STATEMENT + (1 if dated else 0) + (1 if names else 0)
    if not _TURNS_OF_LIFE.isdisjoint(sentence.word_set):
        score += 3
    elif not _PERSONAL.isdisjoint(sentence.word_set):
        score += 1
    elif not dated and not names:
        score -= 1
    return min(score, 8)


def raised_by(sentence: Sentence) -> int:
    """What a turn of life in the sentence adds to the importance of a fact found in it."""
    return 0 if _TURNS_OF_LIFE.isdisjoint(sentence.word_set) else 1
