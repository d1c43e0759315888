"""Where somebody lives, was born, comes from and has been."""

import re

from services.ingest.extraction.local.chinese.script import has_han
from services.ingest.extraction.local.finding import Edge, Finding, Subject
from services.ingest.extraction.local.gazetteer import PLACES
from services.ingest.extraction.local.names import is_given_name, is_organization, is_place, name_at
from services.ingest.extraction.local.predicates import Predicate
from services.ingest.extraction.local.vocabulary import COMMON
from services.ingest.extraction.model import EntityRef

_LIVE = re.compile(
    r"(?:live|lives|living|reside|resides|based|settled)(?: \w+ly)? in ", re.IGNORECASE
)
_LIVED = re.compile(r"lived in ", re.IGNORECASE)
_MOVE = re.compile(
    r"(?:moved?|moves|relocated?|moving)(?: back| out| away| over| here)*(?P<way> from | to )",
    re.IGNORECASE,
)
_BORN = re.compile(r"born(?: and raised| and grew up)? in ", re.IGNORECASE)
_GREW_UP = re.compile(r"(?:grew up|raised) in ", re.IGNORECASE)
_FROM = re.compile(r"(?:come |comes )?(?:originally )?from ", re.IGNORECASE)
_VISIT = re.compile(
    r"(?:visited|(?:went|travell?ed|flew|drove|got|came)(?: back)?(?: on (?:a|our|my) [\w ]{2,20})?"
    r"(?P<to> to| from)|to|took (?:a|our|my) (?:[\w-]+ ){0,2}trip to) ",
    re.IGNORECASE,
)


def place_at(text: str, *, known: bool = False) -> tuple[str, int] | None:
    """The place `text` begins with ("Boston, Massachusetts"), and where it ends.

    With `known` only places of the gazetteer count; else any name that is no person or company.
    """
    named = name_at(text)
    if named is None:
        return None
    name, end = named
    if not is_place(name):
        first = name.split()[0]
        if known or is_organization(name) or is_given_name(first) or first.lower() in COMMON:
            return None
        if text[end:].startswith("'s") or not (name[0].isupper() or has_han(name)):
            return None
    if text[end : end + 2] == ", ":
        region = name_at(text[end + 2 :])
        if region and region[0].lower() in PLACES:
            return f"{name}, {region[0]}", end + 2 + region[1]
    return name, end


def lives_in(subject: Subject, predicate: Predicate) -> Finding | None:
    """ "live in Rome", "used to live in Rome", "lived in Rome"."""
    past = _LIVED.match(predicate.text)
    match = past or _LIVE.match(predicate.text)
    place = place_at(predicate.text[match.end() :]) if match and not predicate.negated else None
    if place is None:
        return None
    gone = predicate.ended or predicate.past or (past is not None and not predicate.perfect)
    return _home(subject, place[0], gone=gone)


def moved(subject: Subject, predicate: Predicate) -> Finding | None:
    """ "moved from Boston to Seattle": two homes, one of them left."""
    match = _MOVE.match(predicate.text)
    if match is None or predicate.negated or predicate.first in ("move", "moving"):
        return None
    rest, way = predicate.text[match.end() :], match["way"].strip()
    first = place_at(rest)
    if first is None:
        return None
    second = None
    after = re.match(r",? (?:to|from) ", rest[first[1] :])
    if after:
        second = place_at(rest[first[1] + after.end() :])
    old, new = (first, second) if way == "from" else (second, first)
    if new is None:
        return _home(subject, old[0], gone=True) if old else None
    origin = f" from {old[0]}" if old else ""
    edges = [Edge("LIVES_IN", EntityRef(new[0], "LOCATION"), ended=predicate.ended)]
    if old:
        edges.append(Edge("LIVES_IN", EntityRef(old[0], "LOCATION"), ended=True))
    return Finding(
        subject,
        f"moved{origin} to {new[0]}",
        importance=8,
        confidence=0.9,
        category="location",
        slot=None if predicate.ended else "location",
        edges=tuple(edges),
        profile=(("location", new[0], "set"),) if not predicate.ended else (),
    )


def _home(subject: Subject, place: str, *, gone: bool) -> Finding:
    return Finding(
        subject,
        f"used to live in {place}" if gone else f"lives in {place}",
        importance=6 if gone else 8,
        confidence=0.85 if gone else 0.9,
        category="location",
        slot=None if gone else "location",
        edges=(Edge("LIVES_IN", EntityRef(place, "LOCATION"), ended=gone),),
        profile=() if gone else (("location", place, "set"),),
    )


def born(subject: Subject, predicate: Predicate) -> Finding | None:
    """ "was born in Lima"."""
    match = _BORN.match(predicate.text)
    place = place_at(predicate.text[match.end() :]) if match and not predicate.negated else None
    if place is None:
        return None
    return Finding(
        subject,
        f"was born in {place[0]}",
        importance=8,
        confidence=0.95,
        category="personal",
        slot="birthplace",
        edges=(Edge("BORN_IN", EntityRef(place[0], "LOCATION")),),
    )


def comes_from(subject: Subject, predicate: Predicate) -> Finding | None:
    """ "am from Sweden", "grew up in Sweden"."""
    grew_up = _GREW_UP.match(predicate.text)
    match = grew_up or (
        _FROM.match(predicate.text)
        if predicate.be or predicate.first in ("come", "comes")
        else None
    )
    place = place_at(predicate.text[match.end() :]) if match and not predicate.negated else None
    if place is None:
        return None
    return Finding(
        subject,
        f"grew up in {place[0]}" if grew_up else f"is from {place[0]}",
        importance=7,
        category="personal",
        edges=(
            Edge("CUSTOM", EntityRef(place[0], "LOCATION"), "grew_up_in" if grew_up else "from"),
        ),
    )


def visited(subject: Subject, predicate: Predicate) -> Finding | None:
    """ "visited Rome", "went to Rome", "have been to Rome", "got back from Rome"."""
    match = _VISIT.match(predicate.text)
    if match is None or predicate.negated or predicate.ended:
        return None
    if predicate.first == "to" and not predicate.perfect:
        return None
    place = place_at(predicate.text[match.end() :], known=True)
    if place is None or (match["to"] == " from" and "back" not in match.group()):
        return None
    if is_organization(place[0]) and predicate.first != "visited":
        return None
    return Finding(
        subject,
        f"visited {place[0]}",
        memory_type="episodic",
        importance=5,
        category="location",
        edges=(Edge("VISITED", EntityRef(place[0], "LOCATION")),),
        dated=True,
    )
