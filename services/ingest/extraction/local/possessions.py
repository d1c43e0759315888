"""What somebody has: pets, vehicles, homes, instruments."""

import re
from collections.abc import Iterator

from services.ingest.extraction.local.finding import Edge, Finding, Subject
from services.ingest.extraction.local.gazetteer import OWNED, PETS
from services.ingest.extraction.local.predicates import Predicate
from services.ingest.extraction.local.vocabulary import COMMON
from services.ingest.extraction.model import EntityRef

_PET = re.compile(
    r"\bmy (?:[\w-]+ ){0,2}?(?P<pet>"
    + "|".join(sorted(PETS, key=len, reverse=True))
    + r")(?:'s name is|,? (?:is )?(?:called|named)|,)? (?P<name>[A-Z]\w+)"
)
_NAMED_PET = re.compile(
    r"(?P<noun>[\w -]{2,40}?),? (?:named|called|name is) (?P<name>[A-Z]\w+)"
    r"(?: and (?P<second>[A-Z]\w+))?"
)
_OWN = re.compile(
    r"(?:have|has|own|owns|bought|adopted|got|purchased|rescued) "
    r"(?P<what>(?:an?|two|three|four|my|our|another) .+)",
    re.IGNORECASE,
)


def owns(subject: Subject, predicate: Predicate) -> Finding | None:
    """ "have a dog named Toby", "bought a car"."""
    match = _OWN.match(predicate.text)
    if match is None or predicate.negated:
        return None
    words = re.findall(r"[\w'-]+", match["what"])[:6]
    noun = next((w for i, w in enumerate(words[1:], 1) if _is_owned(words, i)), None)
    if noun is None:
        return None
    described = " ".join(words[: words.index(noun, 1) + 1]).lower()
    named = _NAMED_PET.match(match["what"])
    names = [each for each in (named["name"], named["second"]) if each] if named else []
    thing = described.split(None, 1)[1]
    gone = (
        predicate.ended
        or (predicate.past and predicate.first == "have")
        or (predicate.first == "had")
    )
    called = f" named {' and '.join(names)}" if names else ""
    return Finding(
        subject,
        f"{'used to have' if gone else 'has'} {_article(described)}{called}",
        importance=6,
        category="personal",
        edges=tuple(
            Edge("OWNS", EntityRef(each, "ENTITY"), ended=gone) for each in names or [thing]
        ),
    )


def _is_owned(words: list[str], index: int) -> bool:
    word = words[index].lower()
    after = words[index + 1].lower() if index + 1 < len(words) else ""
    # "a house party", "a dog park", "a car accident": the noun is only the first half.
    follows = after in (
        "",
        "named",
        "called",
        "and",
        "who",
        "that",
        "which",
        "in",
        "with",
        "for",
        "from",
        "last",
        "at",
        "on",
        "she",
        "he",
        "it",
        "too",
        "yesterday",
        "today",
        "recently",
        "this",
        "to",
        "now",
        "as",
        "i",
        "we",
        "whose",
        "two",
        "a",
    )
    pair = f"{words[index - 1].lower()} {word}"
    return (word in OWNED or pair in OWNED) and follows


def _article(described: str) -> str:
    first, _, rest = described.partition(" ")
    return f"a {rest}" if first in ("my", "our", "another") else described


def pets(subject: Subject, sentence: str) -> Iterator[Finding]:
    """ "my dog Toby"."""
    for match in _PET.finditer(sentence.replace("My ", "my ")):
        if match["name"].lower() in COMMON:
            continue
        yield Finding(
            subject, f"has a {match['pet']} named {match['name']}", importance=6,
            category="personal", edges=(Edge("OWNS", EntityRef(match["name"], "ENTITY")),),
        )  # fmt: skip
