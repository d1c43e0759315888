"""Everything the table of patterns finds in a Chinese sentence."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from services.ingest.extraction.local.chinese import patterns
from services.ingest.extraction.local.chinese.clauses import clauses_of
from services.ingest.extraction.local.chinese.gazetteer import is_place
from services.ingest.extraction.local.chinese.patterns import PATTERNS, Pattern
from services.ingest.extraction.local.finding import Edge, Finding, Subject
from services.ingest.extraction.local.sentences import Sentence
from services.ingest.extraction.local.times import TimeMention
from services.ingest.extraction.model import TASTE, EntityRef

_AND = re.compile(r"、|和|与|跟|以及|还有")
_TELLING = 6  # a clause of so many characters says something


@dataclass(frozen=True, slots=True)
class Found:
    """The findings of a sentence, each with its clause. `all_told`: there is no more in it."""

    findings: tuple[tuple[Finding, str], ...]
    all_told: bool


def chinese_findings(sentence: Sentence, subject: Subject, when: TimeMention | None) -> Found:
    """What the sentence says of its speaker; nothing that is asked, supposed or reported."""
    found: list[tuple[Finding, str]] = []
    left = 0
    phrase = sentence.plain[when.begin : when.end] if when else ""
    for clause in clauses_of(sentence.plain, phrase):
        new = list(_named(subject, clause.text))
        if clause.own:
            said = _said(subject, clause.predicate)
            # "我喜欢昨天的电影" is no lasting taste.
            timed = bool(phrase) and phrase in clause.text
            new += (each for each in said if not (timed and each.category == TASTE))
        found += ((each, clause.text) for each in new)
        if not new and len(clause.text) >= _TELLING:
            left += 1
    return Found(tuple(found), left == 0)


def _said(subject: Subject, predicate: str) -> Iterator[Finding]:
    for pattern in PATTERNS:
        match = pattern.form.fullmatch(predicate.strip())
        if match and _is_meant(pattern, match):
            yield _finding(subject, pattern, match)
            return


def _is_meant(pattern: Pattern, match: re.Match[str]) -> bool:
    """Whether what stands in the places of names can be names."""
    groups = match.groupdict()
    if any(patterns.NO_NAME.search(groups[edge[3]]) for edge in pattern.edges):
        return False
    if patterns.NO_NAME.search(groups.get("name") or ""):
        return False
    if pattern.known_place and not is_place(groups["place"]):
        return False
    return "org" not in groups or not is_place(groups["org"])


def _finding(subject: Subject, pattern: Pattern, match: re.Match[str]) -> Finding:
    groups = {name: (value or "").strip() for name, value in match.groupdict().items()}
    content = pattern.content.format_map(groups)
    if name := groups.get("name") if "{what}" in pattern.content else None:
        content += f"，叫{name}"
    return Finding(
        subject,
        content,
        memory_type=pattern.kind,
        importance=pattern.importance,
        confidence=pattern.confidence,
        category=pattern.category,
        slot=pattern.slot,
        edges=tuple(_edges(pattern, groups)),
        profile=tuple(
            (key, value.format_map(groups), mode) for key, value, mode in pattern.profile
        ),
        dated=pattern.dated,
    )


def _edges(pattern: Pattern, groups: dict[str, str]) -> Iterator[Edge]:
    for relation, custom, node_type, group, ended in pattern.edges:
        text = groups[group]
        # "和朋友爬山" names one thing, and with whom.
        several = pattern.listed and _AND.match(text) is None
        names = _AND.split(text) if several else [text]
        for name in filter(None, names):
            yield Edge(relation, EntityRef(name, node_type), custom, ended)


def _named(subject: Subject, clause: str) -> Iterator[Finding]:
    """ "我妹妹叫小红", "我的生日是五月三日", wherever they stand in a clause."""
    for match in patterns.KINSHIP.finditer(clause):
        yield _related(subject, match["kin"], match["name"])
    day = patterns.BIRTHDAY.search(clause)
    if day:
        yield Finding(
            subject, f"生日是{day['day']}", importance=8, confidence=0.9, category="personal",
            slot="birthday",
        )  # fmt: skip


def _related(subject: Subject, kin: str, name: str) -> Finding:
    if kin in patterns.PETS:
        edge = Edge("OWNS", EntityRef(name, "ENTITY"))
    elif kin in patterns.COLLEAGUES:
        edge = Edge("COLLEAGUE", EntityRef(name, "PERSON"))
    elif kin in patterns.FRIENDS:
        edge = Edge("KNOWS", EntityRef(name, "PERSON"))
    else:
        edge = Edge("CUSTOM", EntityRef(name, "PERSON"), kin)
    return Finding(
        subject,
        f"的{kin}叫{name}" if subject.display else f"{kin}叫{name}",
        importance=7,
        category="relationship",
        slot="partner" if kin in patterns.PARTNERS else None,
        edges=(edge,),
    )
