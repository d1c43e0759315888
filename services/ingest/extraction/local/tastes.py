"""Likes and dislikes, hobbies, favourites, what one does not eat."""

import re
from typing import Literal

from services.ingest.extraction.local.finding import Edge, Finding, Subject
from services.ingest.extraction.local.phrases import listed, phrases_at, third_person
from services.ingest.extraction.local.predicates import Predicate
from services.ingest.extraction.model import TASTE, EntityRef, JsonValue, node_id_of

_TASTE = re.compile(
    r"(?:(?P<love>loves?|adores?)|(?P<like>likes?)|(?P<enjoy>enjoys?)|"
    r"(?P<hate>hates?|dislikes?|can't stand|cannot stand|detests?|despises?)|"
    r"(?P<prefer>prefers?)|(?P<into>into|a (?:big |huge )?fan of|fan of|keen on|fond of)|"
    r"(?P<interest>interested in|passionate about|fascinated by|obsessed with))\s+",
    re.IGNORECASE,
)
_WORDS = {
    "love": ("loves", "loves"),
    "like": ("likes", "likes"),
    "enjoy": ("enjoys", "likes"),
    "hate": ("dislikes", "dislikes"),
    "prefer": ("prefers", "prefers"),
    "into": ("likes", "likes"),
    "interest": ("is interested in", "interested_in"),
}
_OVER = re.compile(r"\b(?:to|over|rather than|instead of) ", re.IGNORECASE)
_FAVORITE = re.compile(
    r"\bmy (?:all[- ]time )?(?:favou?rite|fave) (?P<what>[\w' -]{2,30}?) "
    r"(?:is|are|was|has always been|would be|has to be) (?P<which>.+)",
    re.IGNORECASE,
)
_HOBBY = re.compile(
    r"(?:my (?:main |favou?rite |biggest )?(?:hobby is|hobbies are|hobbies include)|"
    r"in my (?:free|spare) time,? I (?:like to |love to |enjoy |usually |often )?)\s*(?P<what>.+)|"
    r"(?P<before>^[A-Z][\w ,]{3,80}?) (?:is|are) (?:one of )?"
    r"my (?:main |favou?rite )?hobb(?:y|ies)\b",
    re.IGNORECASE,
)
_HOBBY_VERB = re.compile(
    r"(?:took up|taken up|got into|gotten into|go|goes|do|does) (?P<what>.+)", re.IGNORECASE
)
_DOING = re.compile(r"\w{3,}ing\b")
_ALLERGIC = re.compile(r"allergic to (?P<what>.+)", re.IGNORECASE)
_DIET = re.compile(
    r"(?:an? )?(?P<what>vegetarian|vegan|pescatarian|gluten[- ]free|lactose "
    r"intolerant|celiac|coeliac|diabetic)\b",
    re.IGNORECASE,
)
_DIAGNOSED = re.compile(r"diagnosed with (?P<what>.+)", re.IGNORECASE)


def taste(subject: Subject, predicate: Predicate) -> Finding | None:
    """ "love hiking and jazz", "don't like cilantro", "prefer tea to coffee"."""
    match = _TASTE.match(predicate.text)
    if match is None or predicate.past or match.lastgroup is None:
        return None
    kind = match.lastgroup
    if (kind in ("into", "interest")) != predicate.be:  # "we're like a family" is no taste
        return None
    rest = predicate.text[match.end() :]
    other = ""
    if kind == "prefer" and (over := _OVER.search(rest)) and over.start():
        beaten = phrases_at(rest[over.end() :])
        # "prefer walking to save money" compares nothing.
        purpose = over.group() == "to " and (
            not beaten
            or len(beaten[0].split()) > 2
            or (_DOING.match(rest) is not None and _DOING.match(beaten[0]) is None)
        )
        other = f" {over.group().strip()} {beaten[0]}" if beaten and not purpose else ""
        rest = rest[: over.start()]
    items = phrases_at(rest)
    if not items:
        return None
    if kind == "prefer":
        items = [listed(items)]  # "short and clear answers" are one thing
    verb, relation = _WORDS[kind]
    if predicate.negated:
        if kind == "hate":
            return None
        verb = {"is interested in": "is not interested in"}.get(verb, "dislikes")
        relation = "not_interested_in" if kind == "interest" else "dislikes"
    if predicate.ended:
        verb = {"is interested in": "used to be interested in"}.get(
            verb, f"used to {'dislike' if relation == 'dislikes' else verb.rstrip('s')}"
        )
    gone = predicate.ended
    return Finding(
        subject,
        f"{verb} {listed(items)}{other}",
        importance=5,
        confidence=0.8,
        category=TASTE,
        edges=tuple(Edge("CUSTOM", EntityRef(item, "CONCEPT"), relation, gone) for item in items),
        profile=() if gone else _profile(relation, verb, items),
    )


def _profile(
    relation: str, verb: str, items: list[str]
) -> tuple[tuple[str, JsonValue, Literal["set", "append"]], ...]:
    if relation in ("dislikes", "prefers", "not_interested_in"):
        return (("preferences", f"{verb} {listed(items)}", "append"),)
    if relation == "interested_in" or all(_DOING.match(item) for item in items):
        return tuple(("interests", item, "append") for item in items)
    return (("preferences", f"{verb} {listed(items)}", "append"),)


def hobby(subject: Subject, predicate: Predicate) -> Finding | None:
    """ "took up pottery", "go hiking"."""
    match = _HOBBY_VERB.match(predicate.text)
    if match is None or predicate.negated or predicate.ended:
        return None
    if predicate.past and predicate.first in ("go", "do"):
        return None
    items = phrases_at(match["what"])
    if not items or (predicate.first in ("go", "goes", "do", "does") and not _habit(items[0])):
        return None
    return _hobbies(subject, items[:1])


def _habit(item: str) -> bool:
    return _DOING.fullmatch(item) is not None and item not in (
        "nothing",
        "something",
        "anything",
        "everything",
        "going",
        "shopping",
    )


def favorite(subject: Subject, clause: str) -> Finding | None:
    """ "my favorite color is blue"."""
    match = _FAVORITE.search(clause)
    items = phrases_at(match["which"].removeprefix("probably ")) if match else []
    if match is None or not items:
        return None
    what = match["what"].strip().lower()
    if what in ("part", "thing", "parts", "things", "moment", "memory", "memories", "one", "bit"):
        return None
    plural = len(items) > 1 or what.endswith("s")
    return Finding(
        subject,
        f"has {listed(items)} as their favorite {what}"
        if subject.display is None
        else f"has {listed(items)} as favorite {what}",
        confidence=0.85,
        category=TASTE,
        slot=None if plural else f"favorite_{node_id_of(what)}",
        edges=tuple(Edge("CUSTOM", EntityRef(item, "CONCEPT"), "likes") for item in items),
        profile=(("preferences", f"favorite {what}: {listed(items)}", "append"),),
    )


def named_hobby(subject: Subject, clause: str) -> Finding | None:
    """ "my hobbies are chess and baking", "in my free time I paint"."""
    match = _HOBBY.search(clause)
    if match is None:
        return None
    items = phrases_at(match["what"] or match["before"])
    return _hobbies(subject, items) if items else None


def _hobbies(subject: Subject, items: list[str]) -> Finding:
    names = [item[0].lower() + item[1:] if item[1:2].islower() else item for item in items]
    return Finding(
        subject,
        f"has {'hobbies' if len(names) > 1 else 'a hobby'}: {listed(names)}",
        importance=5,
        category="hobby",
        edges=tuple(Edge("HOBBY", EntityRef(name, "CONCEPT")) for name in names),
        profile=tuple(("interests", name, "append") for name in names),
    )


def health(subject: Subject, predicate: Predicate) -> Finding | None:
    """ "am allergic to nuts", "am vegan", "was diagnosed with asthma"."""
    if predicate.negated:
        return None
    allergic = _ALLERGIC.match(predicate.text)
    diagnosed = _DIAGNOSED.match(predicate.text)
    match = allergic or diagnosed
    if match:
        items = phrases_at(match["what"])
        if not items:
            return None
        relation = "allergic_to" if allergic else "diagnosed_with"
        words = "is allergic to" if allergic else "was diagnosed with"
        return Finding(
            subject,
            f"{words} {listed(items)}",
            importance=9,
            confidence=0.9,
            category="health",
            edges=tuple(Edge("CUSTOM", EntityRef(each, "CONCEPT"), relation) for each in items),
        )
    diet = _DIET.match(predicate.text) if predicate.be else None
    if diet is None:
        return None
    return Finding(
        subject,
        f"{'used to be' if predicate.ended or predicate.past else 'is'} {diet['what'].lower()}",
        importance=8,
        confidence=0.9,
        category="health",
        slot=None if predicate.ended or predicate.past else "diet",
        profile=(("preferences", third_person(diet["what"].lower()), "append"),),
    )
