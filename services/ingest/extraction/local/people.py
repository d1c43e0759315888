"""Who somebody is and whom they know: name, age, family, friends, colleagues."""

import re
from collections.abc import Iterator

from services.ingest.extraction.local.finding import Edge, Finding, Subject
from services.ingest.extraction.local.names import could_be_person, is_given_name, name_at
from services.ingest.extraction.local.predicates import Predicate
from services.ingest.extraction.local.vocabulary import COMMON
from services.ingest.extraction.model import EntityRef

_PARTNERS = frozenset(
    {
        "wife",
        "husband",
        "partner",
        "girlfriend",
        "boyfriend",
        "fiancé",
        "fiancée",
        "fiance",
        "spouse",
    }
)
_KIN = (
    "sister|brother|mother|father|mom|mum|dad|wife|husband|partner|girlfriend|boyfriend|fiancée|"
    "fiancé|fiance|spouse|son|daughter|cousin|aunt|uncle|grandmother|grandfather|grandma|grandpa|"
    "niece|nephew|friend|colleague|coworker|co-worker|boss|manager|roommate|flatmate|neighbor|"
    "neighbour|mentor|teacher|coach|therapist|doctor|classmate|teammate|stepmother|stepfather|"
    "stepbrother|stepsister|godmother|godfather"
)
_KINSHIP = re.compile(
    rf"\bmy (?P<ex>ex-| ?ex |late )?(?:older |younger |little |big |best |good |old |close |dear |"
    rf"new |twin |step|former )*(?P<kin>{_KIN})"
    r"(?P<named>'s name is|,? (?:is )?(?:called|named)| is|,)? (?P<name>[A-Z]\w+(?: [A-Z]\w+)?)",
)
_IS_MY = re.compile(
    rf"\b(?P<name>[A-Z]\w+(?: [A-Z]\w+)?)(?P<is>,| is) my (?:older |younger |best |good |dear )*"
    rf"(?P<kin>{_KIN})\b"
)
_COLLEAGUES = frozenset({"colleague", "coworker", "co-worker"})
_NAME = re.compile(r"\b[Mm]y (?:full |first )?name(?:'s| is) (?P<name>[A-Z]\w+(?: [A-Z]\w+){0,2})")
_CALL_ME = re.compile(r"\b(?:[Cc]all me|I go by) (?P<name>[A-Z]\w+)\b")
_AGE = re.compile(
    r"(?:(?P<age>\d{1,3})(?: years? old\b|$|(?= and\b)| now$)|turned (?P<turned>\d{1,3})\b)"
)
_BIRTHDAY = re.compile(
    r"\bmy birthday(?: is|'s) (?:on )?(?P<day>(?:the )?[\w ]*\d{1,2}(?:st|nd|rd|th)?"
    r"(?:(?: of)? (?:january|february|march|april|may|june|july|august|september|october|"
    r"november|december))?)",
    re.IGNORECASE,
)
_MARRIED = re.compile(
    r"(?P<how>married to|engaged to|dating|married|got married to|got engaged to|"
    r"seeing) ",
    re.IGNORECASE,
)
_MET = re.compile(
    r"(?:met|met up with|ran into|caught up with|hung out with|had (?:lunch|dinner|"
    r"coffee) with) (?:my (?:\w+ ){1,3})?",
    re.IGNORECASE,
)


def _person_at(name: str) -> str | None:
    """A name as matched, or its first word, if it can be a person's."""
    for candidate in (name, name.split(maxsplit=1)[0]):
        first = candidate.split()[0].lower()
        if (first not in COMMON or is_given_name(first)) and could_be_person(candidate):
            return candidate
    return None


def kinship(subject: Subject, sentence: str) -> Iterator[Finding]:
    """Every "my sister Anna" of a sentence."""
    if "my " not in sentence and "My " not in sentence:
        return
    text = sentence.replace("My ", "my ")
    for match in (*_KINSHIP.finditer(text), *_IS_MY.finditer(text)):
        name = _person_at(match["name"])
        groups = match.groupdict()
        # After a comma the name may be any other word: "Thankfully, my son ...".
        unsure = groups.get("named", groups.get("is")) == ","
        if name is None or (unsure and not is_given_name(name.split()[0])):
            continue
        former = bool(groups.get("ex")) and "ex" in groups["ex"]
        yield _related(subject, match["kin"], name, former=former)


def _related(subject: Subject, kin: str, name: str, *, former: bool) -> Finding:
    person = EntityRef(name, "PERSON")
    partner = kin in _PARTNERS
    if kin in _COLLEAGUES:
        edge = Edge("COLLEAGUE", person, ended=former)
    elif kin == "friend":
        edge = Edge("KNOWS", person, ended=former)
    else:
        edge = Edge("CUSTOM", person, kin.replace("-", "_"), former)
    article = "an" if kin[0] in "aeiou" or former else "a"
    return Finding(
        subject,
        f"has {article} {'ex-' if former else ''}{kin} named {name}",
        importance=7 if kin not in _COLLEAGUES else 5,
        confidence=0.85,
        category="relationship",
        slot="partner" if partner and not former else None,
        edges=(edge,),
    )


def married(subject: Subject, predicate: Predicate) -> Finding | None:
    """ "am married to Tom", "dating Tom"."""
    match = _MARRIED.match(predicate.text)
    named = name_at(predicate.text[match.end() :]) if match and not predicate.negated else None
    name = _person_at(named[0]) if named else None
    if match is None or name is None or (match["how"] == "seeing" and not predicate.be):
        return None
    how = match["how"].lower().removeprefix("got ")
    how = "married to" if how == "married" else how
    relation = how.replace(" ", "_")
    gone = predicate.ended or (predicate.past and how == "married to")
    return Finding(
        subject,
        f"{'was' if gone else 'is'} {how} {name}",
        importance=8,
        confidence=0.9,
        category="relationship",
        slot=None if gone else "partner",
        edges=(Edge("CUSTOM", EntityRef(name, "PERSON"), relation, gone),),
    )


def identity(subject: Subject, sentence: str) -> Iterator[Finding]:
    """Name and birthday, wherever they stand in the sentence."""
    name = _NAME.search(sentence) or _CALL_ME.search(sentence)
    if name and name["name"].split()[0].lower() not in COMMON:
        yield Finding(
            subject, f"is named {name['name']}", importance=9, confidence=0.95,
            category="personal", slot="name", profile=(("identity", name["name"], "set"),),
        )  # fmt: skip
    day = _BIRTHDAY.search(sentence) if "birthday" in sentence else None
    if day:
        yield Finding(
            subject, f"has their birthday on {day['day'].strip()}", importance=8, confidence=0.9,
            category="personal", slot="birthday",
        )  # fmt: skip


def age(subject: Subject, predicate: Predicate) -> Finding | None:
    """ "am 29 years old", "turned 30"."""
    match = _AGE.match(predicate.text)
    if match is None or predicate.negated or not (predicate.be or match["turned"]):
        return None
    years = int(match["age"] or match["turned"])
    if not 3 <= years <= 120 or predicate.past:
        return None
    return Finding(
        subject, f"is {years} years old", importance=7, confidence=0.85, category="personal",
        slot="age",
    )  # fmt: skip


def met(subject: Subject, predicate: Predicate) -> Finding | None:
    """ "met Anna", "had lunch with Anna"."""
    match = _MET.match(predicate.text)
    named = name_at(predicate.text[match.end() :]) if match and not predicate.negated else None
    name = _person_at(named[0]) if named else None
    if name is None or predicate.ended:
        return None
    return Finding(
        subject, f"met {name}", memory_type="episodic", importance=5, category="relationship",
        edges=(Edge("MET", EntityRef(name, "PERSON")),), dated=True,
    )  # fmt: skip


def knows(subject: Subject, predicate: Predicate) -> Finding | None:
    """ "know Anna": names known as given names only."""
    named = name_at(predicate.text[5:].lstrip()) if predicate.first in ("know", "knows") else None
    if named is None or predicate.negated or not is_given_name(named[0].split()[0]):
        return None
    return Finding(
        subject, f"knows {named[0]}", importance=5, category="relationship",
        edges=(Edge("KNOWS", EntityRef(named[0], "PERSON")),),
    )  # fmt: skip
