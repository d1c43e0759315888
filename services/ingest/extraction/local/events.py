"""Gatherings somebody was at, and groups somebody belongs to."""

import re

from services.ingest.extraction.local.finding import Edge, Finding, Subject
from services.ingest.extraction.local.gazetteer import GATHERINGS
from services.ingest.extraction.local.names import name_at
from services.ingest.extraction.local.predicates import Predicate
from services.ingest.extraction.model import EntityRef

_ATTENDED = re.compile(
    r"(?:attended|went to|joined|participated in|took part in|got back from|been to|competed in) "
    r"(?P<what>(?:an?|the|my|our|this|their)? ?(?:[\w'+-]+ ){0,5}?(?P<noun>"
    + "|".join(sorted(GATHERINGS, key=len, reverse=True))
    + r"))\b",
    re.IGNORECASE,
)
_MEMBER = re.compile(r"(?:a |an active |a proud )?member of ", re.IGNORECASE)


def attended(subject: Subject, predicate: Predicate) -> Finding | None:
    """ "went to a pottery class", "attended PyCon" (when said to be a gathering)."""
    match = _ATTENDED.match(predicate.text)
    if match is None or predicate.negated or predicate.ended:
        return None
    if predicate.first == "joined" and match["noun"].lower() not in (
        "parade",
        "march",
        "protest",
        "retreat",
        "workshop",
        "rally",
    ):
        return None
    what = match["what"].strip()
    name = re.sub(r"^(?:an?|the|my|our|this|their) ", "", what, flags=re.IGNORECASE)
    name = re.sub(r"^(?:\w+est|most \w+) ", "", name)
    if len(name.split()) < 2:
        return None  # "a party" is too general to be a node of its own
    spoken = re.sub(r"^(?:my|our) ", "their ", what, flags=re.IGNORECASE)
    return Finding(
        subject, f"attended {spoken}", memory_type="episodic", importance=5, category="personal",
        edges=(Edge("ATTENDED", EntityRef(name, "EVENT")),), dated=True,
    )  # fmt: skip


def member_of(subject: Subject, predicate: Predicate) -> Finding | None:
    """ "am a member of Greenpeace"."""
    match = _MEMBER.match(predicate.text) if predicate.be else None
    named = name_at(predicate.text[match.end() :]) if match and not predicate.negated else None
    if named is None:
        return None
    gone = predicate.ended or predicate.past
    return Finding(
        subject, f"{'was' if gone else 'is'} a member of {named[0]}", category="personal",
        edges=(Edge("BELONGS_TO", EntityRef(named[0], "ORGANIZATION"), ended=gone),),
    )  # fmt: skip
