"""Reading names: where one begins and ends, and what kind of thing it names."""

import re
from collections.abc import Iterator

from services.ingest.extraction.local.chinese.script import has_han
from services.ingest.extraction.local.gazetteer import (
    AMBIGUOUS_NAMES,
    GIVEN_NAMES,
    LANGUAGES,
    ORGANIZATIONS,
    PLACES,
    SCHOOLS,
    SKILLS,
)
from services.ingest.extraction.local.lexicon import words
from services.ingest.extraction.local.times import MONTHS, WEEKDAYS
from services.ingest.extraction.local.vocabulary import COMMON, FUNCTION_WORDS
from services.ingest.extraction.model import EntityRef

_TOKEN = re.compile(r"[^\W_][\w&.+#'-]*|&")
_INNER = frozenset({"of", "de", "la", "del", "di", "da", "van", "von", "der", "the", "&"})
_NOT_IN_NAME = frozenset(
    (
        *MONTHS,
        *WEEKDAYS,
        "fri",
        "tues",
        "thurs",
        "sat",
        "sun",
        "mon",
        "wed",
        "aww",
        "i",
        "i'm",
        "i've",
        "i'll",
        "i'd",
        "ok",
        "tv",
        "mom",
    )
)
_ORGANIZATION_WORD = words(
    """
university college school institute academy inc corp corporation company labs laboratories
foundation bank hospital clinic ltd llc gmbh group association society agency museum church
council studios airlines ministry department
"""
)
_SCHOOL_WORD = frozenset({"university", "college", "school", "institute", "academy"})
MAX_NAME_WORDS = 5


def name_at(text: str) -> tuple[str, int] | None:
    """The name that `text` begins with and where it ends; a leading "the" is passed over.

    A name is a run of capitalised words ("Bank of America") or, in any case, an entry of the
    gazetteer ("new york", given back capitalised).
    """
    offset = 4 if text[:4].lower() == "the " else 0
    known = _known_at(text, offset)
    tokens = list(_capitalised(text, offset))
    if tokens and (known is None or tokens[-1].end() > known[1]):
        end = tokens[-1].end()
        name = text[tokens[0].start() : end]
        name = name.removesuffix("'s")
        return name.rstrip(".'-"), end
    return known


def _capitalised(text: str, offset: int) -> Iterator[re.Match[str]]:
    """The tokens of a run of capitalised words at `offset`, connecting words only between them."""
    waiting: list[re.Match[str]] = []
    position, count = offset, 0
    while count < MAX_NAME_WORDS:
        match = _TOKEN.match(text, position)
        if match is None:
            return
        word = match.group()
        plain = word.lower().rstrip(".'")
        if plain in _INNER and count:
            waiting.append(match)
        elif not _can_begin_name(word) or plain in _NOT_IN_NAME or plain in FUNCTION_WORDS:
            return
        else:
            yield from waiting
            waiting = []
            yield match
            count += 1
            if word.endswith(("'s", ".")):
                return
        position = match.end()
        if text[position : position + 1] != " ":
            return
        position += 1


def _can_begin_name(word: str) -> bool:
    return word[0].isupper() or has_han(word)


def _known_at(text: str, offset: int) -> tuple[str, int] | None:
    tokens = list(_TOKEN.finditer(text[offset : offset + 60]))[:3]
    for count in range(len(tokens), 0, -1):
        end = tokens[count - 1].end()
        raw = text[offset : offset + end].rstrip(".'").removesuffix("'s")
        lower = raw.lower()
        if lower in PLACES or (lower in ORGANIZATIONS and lower not in COMMON):
            return (raw if raw[0].isupper() else _capitals(lower)), offset + end
    return None


def _capitals(lower: str) -> str:
    short = (
        lower if len(lower) <= 3 and lower in ORGANIZATIONS | {"uk", "usa", "uae", "nyc"} else ""
    )
    return short.upper() or " ".join(word.capitalize() for word in lower.split())


def is_place(name: str) -> bool:
    """Whether the gazetteer has it as a place, as a whole or its part after a comma."""
    lower = name.lower()
    return lower in PLACES or lower.rpartition(", ")[2] in PLACES


def is_school(name: str) -> bool:
    """Whether it names a place to study at."""
    return name.lower() in SCHOOLS or not _SCHOOL_WORD.isdisjoint(name.lower().split())


def is_organization(name: str) -> bool:
    """Whether it is known, or says of itself, that it is an organisation."""
    lower = name.lower()
    return lower in ORGANIZATIONS or not _ORGANIZATION_WORD.isdisjoint(lower.split())


def is_given_name(word: str) -> bool:
    """Whether it is a given name and not also a common word."""
    lower = word.lower()
    return lower in GIVEN_NAMES and lower not in AMBIGUOUS_NAMES


def could_be_person(name: str) -> bool:
    """Whether a capitalised name can be a person's: not a place, organisation, language or word."""
    words = name.lower().split()
    return (
        0 < len(words) <= 3
        and name[0].isupper()
        and not is_organization(name)
        and (name.lower() not in PLACES or is_given_name(words[0]))
        and (words[0] not in COMMON or words[0] in GIVEN_NAMES)
        and not any(word in LANGUAGES or word in _NOT_IN_NAME for word in words)
    )


def entity_of(name: str, people: frozenset[str]) -> EntityRef:
    """A name with its type. `people` are the persons known from the conversation."""
    lower = name.lower()
    if lower in people or (is_given_name(lower.split()[0]) and not is_organization(name)):
        node_type = "LOCATION" if lower in PLACES and lower not in people else "PERSON"
    elif is_place(name):
        node_type = "LOCATION"
    elif is_organization(name):
        node_type = "ORGANIZATION"
    elif lower in SKILLS or lower in LANGUAGES:
        node_type = "SKILL"
    else:
        node_type = "ENTITY"
    return EntityRef(name, node_type)


def names_in(text: str, people: frozenset[str]) -> list[EntityRef]:
    """The names a sentence mentions. Its first word counts only when the name is known."""
    found: dict[str, EntityRef] = {}
    position = 0
    while match := _TOKEN.search(text, position):
        position = match.end()
        if not match.group()[0].isupper():
            continue
        named = name_at(text[match.start() :])
        if named is None:
            continue
        name, length = named
        position = max(position, match.start() + length)
        if _begins_sentence(text, match.start()) and not _is_known(name, people):
            # The first word has its capital anyway: "Adding NYC" names only NYC.
            name = name.partition(" ")[2]
            if not _is_known(name, people):
                continue
        if name.lower().split()[0] in COMMON and not is_given_name(name.split()[0]):
            continue
        if len(name) > 1:
            entity = entity_of(name, people)
            found.setdefault(entity.node_id, entity)
    return list(found.values())


def _begins_sentence(text: str, position: int) -> bool:
    before = text[:position].rstrip(" \"'(*-")
    return not before or before.endswith((".", "!", "?", ":"))


def _is_known(name: str, people: frozenset[str]) -> bool:
    lower = name.lower()
    if not lower or (lower in COMMON and lower not in people):
        return False
    return (
        lower in people
        or is_given_name(lower.split()[0])
        or is_place(lower)
        or (is_organization(lower))
    )
