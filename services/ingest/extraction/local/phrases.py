"""Cutting the object out of a predicate: a noun phrase, or a list of them."""

import re

from services.ingest.extraction.local.vocabulary import TASTES_WITH_THE

MAX_WORDS = 8

_BOUNDARY = re.compile(
    r"[.;:!?()\n…]|\s+-+\s|,?\s+(?:because|'cause|cause|cuz|but|so|when|whenever|since|if|that|which|"
    r"who|while|though|although|after|before|as|lately|recently|these days|nowadays|most|the most|"
    r"more than|so much|very much|a lot|too|anymore|any more|especially|even|for its|every|in my|"
    r"with all|until|where|cos|whilst|right now|at the moment|this|these|thanks|due to|it's|and it|"
    r"and that|and they|and then|and (?:I|i|we|i'm|I'm|my|have|has|had|can|am|was)|it|is|are|was)"
    r"(?=[\s.,!?]|$)"
)
_BREAKING = frozenset({"it", "is", "are", "was", "this", "these"})
_POINTING = frozenset({"it", "them", "this", "that", "these", "those", "him", "her"})
_DOING = re.compile(r"\w{2,}ing\b")
_ONE_SYLLABLE = re.compile(r"[^aeiou]*[aeiou][bdgklmnprt]")
_SEPARATOR = re.compile(r",\s*(?:and\s+|or\s+)?|\s+and\s+|\s+or\s+|\s*&\s*")
_BAD_START = re.compile(
    r"(?:it|that|this|these|those|you|your|yours|him|her|his|them|their|how|what|when|where|why|who|"
    r"if|everything|everyone|anything|something|nothing|seeing|hearing|knowing|being|having|getting|not|"
    r"one|ones|such|here|there|to see|to hear|to know|to be|to think|to say|to get|to have|us|me|"
    r"how|all of|all the|both|some|any|each|another|other|he|she|we|they|i|most|more|much|the)\b",
    re.IGNORECASE,
)
_THEIR = (
    (re.compile(r"\b(?:my|our)\b", re.IGNORECASE), "their"),
    (re.compile(r"\b(?:me|us)\b", re.IGNORECASE), "them"),
    (re.compile(r"\b(?:myself|ourselves)\b", re.IGNORECASE), "themselves"),
)


def third_person(text: str) -> str:
    """The speaker's "my" and "me" as others would say it."""
    for pattern, replacement in _THEIR:
        text = pattern.sub(replacement, text)
    return text


def phrases_at(text: str) -> list[str]:
    """The noun phrases and "doing" phrases of the list `text` begins with.

    The list ends before the first that is no plain phrase ("it", "the way you ..."); empty when it
    is the first.
    """
    boundary = _BOUNDARY.search(text)
    broken = False
    if boundary:
        # "making it better", "the veterans are ...": the last phrase went on and says too little.
        broken = boundary.group().strip(" ,").lower() in _BREAKING
        text = text[: boundary.start()]
    pieces = _parallel(_SEPARATOR.split(text))
    items: list[str] = []
    for raw in pieces[: len(pieces) - broken]:
        item = _plain(raw)
        if item is None:
            break
        items.append(item)
    return items


def _parallel(pieces: list[str]) -> list[str]:
    """Put together again what was no list: "improving roads and schools" improves both."""
    joined: list[str] = []
    for piece in pieces:
        doing = joined and _DOING.match(joined[-1]) and len(joined[-1].split()) > 1
        if doing and not _DOING.match(piece.strip()):
            joined[-1] = f"{joined[-1]} and {piece.strip()}"
        else:
            joined.append(piece.strip())
    return joined


def _plain(raw: str) -> str | None:
    item = raw.strip(" ,'\"*~").removeprefix("a good ").strip()
    if item.startswith("to "):
        verb, _, rest = item[3:].partition(" ")
        item = f"{gerund(verb)} {rest}".strip()
    words = item.split()
    if not 0 < len(words) <= MAX_WORDS or len(item) < 3 or "you" in item.lower().split():
        return None
    if words[-1].lower() in _POINTING:
        return None
    if words[0].lower() == "the" and words[-1].lower() in TASTES_WITH_THE and len(words) <= 3:
        return item
    if _BAD_START.match(item) or not any(character.isalpha() for character in item):
        return None
    return third_person(item)


def gerund(verb: str) -> str:
    """ "hike" as "hiking", "run" as "running"."""
    if verb.endswith("ie"):
        return f"{verb[:-2]}ying"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")) and len(verb) > 2:
        return f"{verb[:-1]}ing"
    if _ONE_SYLLABLE.fullmatch(verb):
        return f"{verb}{verb[-1]}ing"
    return f"{verb}ing"


def listed(items: list[str]) -> str:
    """ "a, b and c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
