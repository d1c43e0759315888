"""Whose the feelings are that a sentence of English names: the speaker's, another's, nobody's.

"I was nervous" and "felt nervous" (as in a diary) are the speaker's; "my boss was nervous" is
another's; "I would be nervous", "if I were nervous" and "I wasn't nervous" are nobody's.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from services.ingest.extraction.local.feeling_words import FEELINGS, QUALITIES
from services.ingest.extraction.local.gazetteer import OCCUPATIONS
from services.ingest.extraction.local.lexicon import words
from services.ingest.extraction.local.names import is_given_name, is_organization, is_place
from services.ingest.extraction.local.sentences import Sentence, words_of


class Whose(Enum):
    """Who has a feeling. `THINGS` have none: "it was sad" says how the speaker sees it."""

    OWN = auto()
    OTHERS = auto()
    THINGS = auto()
    NOBODYS = auto()


@dataclass(frozen=True, slots=True)
class Stated:
    """A feeling that a sentence names; `begin` and `end` are the place of what says so."""

    words: tuple[str, ...]
    whose: Whose
    negated: bool
    begin: int
    end: int


_NAMES = "|".join(sorted(FEELINGS, key=len, reverse=True))
_HOW = "|".join(sorted(QUALITIES, key=len, reverse=True))
# Each word in one way only, here and below: what can be read in two ways takes exponential time.
_DEGREE = (
    r"(?:so|very|quite|pretty|too|just|a bit|a little bit|a little|a lot|kind of|kinda|"
    r"sort of|rather|more|less|most|also|still|both|all|super|beyond|even|such|not|never|always|"
    r"feeling|been|getting|becoming|being|\w+ly)"
)
_FEELINGS = (
    rf"(?P<names>(?:{_NAMES})(?:(?:,| and| but| yet| or|, and)(?: {_DEGREE})* (?:{_NAMES}))*)"
)
_CAUSE = r"(?:make|makes|made|making|leave|leaves|left|leaving|get|gets|got|has|had|keeps|kept)"
_OF_ONE = r"(?:feel|feels|felt|feeling)"
_STATED = re.compile(
    rf"(?:\b{_CAUSE} (?:(?P<me>me|us)|(?P<them>him|her|them|you|every(?:one|body)|"
    rf"(?:my|his|her|their|our|the) \w+))(?: {_OF_ONE})?|"
    r"(?P<verb>'m|'re|'s|\b(?:am|is|are|was|were|be|been|being|get|gets|got|getting|become|becomes|"
    r"became|becoming|stay|stayed|staying|remain|remained|seem|seems|seemed|look|looks|looked)\b|"
    rf"\b(?:is|are|was|were|ai)n't\b|\b(?P<one>{_OF_ONE})\b))"
    rf"(?P<degree>(?:,? {_DEGREE})*)(?: [a-z]+,? (?:and|but)(?: {_DEGREE})*)?? "
    rf"(?:{_FEELINGS}|(?(one)(?:{_HOW})|(?(me)(?:{_HOW})|(?!))))\b",
    re.IGNORECASE,
)
_BOUNDARY = re.compile(
    r"[,.;:!?()…—]|\s-+\s|\b(?:and|but|so|because|'cause|while|though|although|when|since|as|"
    r"after|before|then)\b",
    re.IGNORECASE,
)
_ADVERBS = (
    r"(?: (?:have|has|had|just|always|still|also|never|not|do|does|did|don't|doesn't|didn't|"
    r"haven't|hasn't|hadn't|often|sometimes|even|already|am|was|were|been|both|all|\w+ly))*"
)
_I = re.compile(rf"\b(?:i|we)(?:'ve|'m|'re)?{_ADVERBS} ?$", re.IGNORECASE)
_ASIDE = re.compile(
    r"\b(?:would|could|might|may|should|will|can|must|shall|to|won't|wouldn't|couldn't|can't|"
    r"cannot|shouldn't|let's|gonna|please|'ll|'d)(?: (?:not|never|just|always|also|have|be|even|"
    r"\w+ly))*$|(?:^|[,.;!] ?)(?:please )?(?:do not|don't|never)$",
    re.IGNORECASE,
)
_HAD = re.compile(rf"\b(?:i|we)'d{_ADVERBS} ?$", re.IGNORECASE)
# What comes before "I" when it is only supposed, or another's opinion.
_SUPPOSED = re.compile(
    r"\b(?:if|unless|whether|wish|wishes|wished|suppose|imagine|pretend(?:ed)?|as though|says|"
    r"said|thinks|believes?|claims?|claimed|asked|(?:he|she|they|you|people) \w+|told \w+|hopes?)"
    r"(?: that)?[,:]? [\"“]?$",
    re.IGNORECASE,
)
# A clause without a subject, as in a diary: nothing but words of time and degree before the verb.
_NOBODY = re.compile(
    r"(?:\s*\b(?:just|also|then|still|today|yesterday|tonight|again|first|later|afterwards|now|and|"
    r"but|so|(?:this|last|all|every) \w+|on \w+|\w+ly)\b,?)*\s*",
    re.IGNORECASE,
)
_DIARY = re.compile(r"(?:felt|feel|feeling|been|was|am|got|getting)$", re.IGNORECASE)
_PERSONS = OCCUPATIONS | words("""
he she they you who everyone everybody someone somebody nobody people others sister brother mother
father mom mum dad wife husband partner girlfriend boyfriend son daughter cousin aunt uncle
grandmother grandfather grandma grandpa niece nephew friend friends colleague colleagues coworker
coworkers boss manager roommate neighbor neighbour neighbors neighbours team kids kid children
child baby parents family guys students man woman men women boy girl boys girls dog cat audience
crowd fans teacher teachers client clients customer customers landlord sisters brothers
""")
_FIRST_PERSON = re.compile(r"\b(?:i|we|i'm|we're|i've|we've|me|us)\b", re.IGNORECASE)
_DETERMINERS = words("my the his her their our your")
_SEEMS = words("seem seems seemed look looks looked")


def stated_feelings(sentence: Sentence) -> list[Stated]:
    """Every feeling the sentence names by saying that somebody is or feels so."""
    if FEELINGS.isdisjoint(sentence.word_set) and QUALITIES.isdisjoint(sentence.word_set):
        return []
    return list(_stated_in(sentence.plain))


def _stated_in(text: str) -> Iterator[Stated]:
    for match in _STATED.finditer(text):
        before = text[: match.start()]
        called = tuple(each for each in words_of(match["names"] or "") if each in FEELINGS)
        whose, begin = _whose(match, before)
        if before.count('"') % 2 or before.count("“") > before.count("”"):
            whose = Whose.NOBODYS  # a quotation that goes on in the next sentence
        yield Stated(called, whose, _is_negated(match, before), begin, match.end())


def _is_negated(match: re.Match[str], before: str) -> bool:
    near = before[-30:].rsplit(",", 1)[-1]
    chain = " ".join(f"{near} {match['verb'] or ''} {match['degree']}".lower().split())
    return re.search(r"(?:\bnot|\bnever|n't|\bno longer|\bhardly)(?: \w+){0,2}$", chain) is not None


def _whose(match: re.Match[str], before: str) -> tuple[Whose, int]:
    """Whose the feeling is, and where what says so begins."""
    verb = (match["verb"] or "").lower()
    had = verb in ("been", "felt") and _HAD.search(before)  # "I'd felt" is so, "I'd feel" is not
    if _ASIDE.search(before.rstrip()) and not had:
        return Whose.NOBODYS, match.start()
    if not verb:
        return Whose.OWN if match["me"] else Whose.OTHERS, match.start()
    own = had or _I.search(before)
    if own is None:
        return _whose_but_for_i(verb, match.start(), before)
    supposed = _SUPPOSED.search(before[: own.start()])
    if supposed:
        return Whose.NOBODYS, supposed.start()
    # "I look good" says nothing of what is felt.
    return Whose.THINGS if verb in _SEEMS else Whose.OWN, match.start()


def _whose_but_for_i(verb: str, begin: int, before: str) -> tuple[Whose, int]:
    start = max((each.end() for each in _BOUNDARY.finditer(before)), default=0)
    clause = before[start:].strip()
    if _DIARY.match(verb) and (_NOBODY.fullmatch(clause) or verb == "feeling"):
        others = _began_with_another(before)
    elif _names_a_person(clause) or _ends_in_a_name(before):
        others = True
    else:
        return Whose.THINGS, begin
    return (Whose.OTHERS, start) if others else (Whose.OWN, begin)


def _began_with_another(before: str) -> bool:
    """Whether a verb without a subject goes on about somebody else whom the sentence began with.

    "Met my boss" is the speaker's doing, "my boss met me" is not.
    """
    first = re.split(r"[,;:…—]| and | but | so ", before.strip(), maxsplit=1)[0]
    if _FIRST_PERSON.match(first) or not _names_a_person(first):
        return False
    began = words_of(first)[0]
    return began in _PERSONS or began in _DETERMINERS or is_given_name(began)


def _names_a_person(clause: str) -> bool:
    said = words_of(clause)
    return any(
        word in _PERSONS or word.removesuffix("'s") in _PERSONS or is_given_name(word)
        for word in said
    )


def _ends_in_a_name(before: str) -> bool:
    """ "and Priya" of "and Priya was": a capital in the middle of a sentence, no known place."""
    name = re.search(r"\w\W+([A-Z][^\W\d_]+)$", before.rstrip())
    return name is not None and not (is_place(name[1]) or is_organization(name[1]))
