"""A clause's subject taken off, its predicate told as real or unreal, now or ended, yes or no."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from services.ingest.extraction.local.clauses import THIRD_VERB
from services.ingest.extraction.local.finding import Subject
from services.ingest.extraction.local.names import could_be_person, is_given_name, name_at
from services.ingest.extraction.local.vocabulary import COMMON
from services.ingest.extraction.model import EntityRef

_LEAD = re.compile(
    r"(?:(?:well|yeah|yes|yep|oh|hey|hi|hello|wow|actually|so|and|but|also|btw|by the way|no|nope|"
    r"ok|okay|honestly|anyways?|sure|haha|lol|currently|nowadays|these days|right now|now|recently|"
    r"lately|plus|then|because|since|though|although|thanks|unfortunately|sadly|luckily|fortunately|"
    r"correction|update|fyi|besides|personally|still)\b[,!:]?\s*)+",
    re.IGNORECASE,
)
# "Last year I moved ...": words of time before the subject.
_TIME_LEAD = re.compile(
    r"(?:last|in|on|this|after|during|two|three|four|five|a|an|yesterday|today|tonight|earlier|"
    r"recently|next|tomorrow)\b(?:\s+(?!if\b|when\b|I\b|i\b)[\w'-]+){0,4}?,?\s+(?=(?:I|i|we|We)\b)",
    re.IGNORECASE,
)
_OWN = re.compile(r"(?:I|we)(?P<short>'m|'ve|'re|'d|'ll)?\s+", re.IGNORECASE)
_UNREAL_LEAD = re.compile(
    r"(?:and |but |so |because )?(?:if|unless|suppose|supposing|imagine|whether|when|maybe|perhaps|"
    r"hopefully|wish|assuming|what if|as if|in case|once|until|let's|lets|before|where|how|who|"
    r"what|why)\b",
    re.IGNORECASE,
)
_REPORT_END = re.compile(
    r"\b(?:said|says?|saying|told \w+|tells? \w+|asked|claims?|claimed|wrote|replied|think|thinks|"
    r"thought|dreamt|dreamed|pretend|hope|wish|that|like|reads?|lyrics?)\W*$",
    re.IGNORECASE,
)
_AUXILIARY = re.compile(
    r"(?:(?P<be>am|is|are|'m|'re|'s)|(?P<was>was|were)|(?P<have>'ve|have|has|had)(?= (?:been|never|"
    r"just|also|recently|always|already|now|finally|lived|worked|studied|moved|visited|met|joined|"
    r"left|quit|owned|known|loved|liked|hated|played|learned|spoken|decided|started|had|been|not))|"
    r"(?P<did>do|does|did)(?= not| n't| love| like| enjoy| work| live| have| speak)|"
    r"(?P<not>don't|doesn't|didn't|isn't|aren't|wasn't|weren't|haven't|hasn't|ain't|can't stand|"
    r"not|never)|(?P<ended>used to|no longer|stopped|quit(?= \w+ing))|"
    r"(?P<plain>just|also|actually|really|still|now|currently|recently|finally|always|both|"
    r"absolutely|truly|kinda|definitely|already|been|so|very|totally|too|mostly|mainly|usually|"
    r"often|genuinely|simply|even|all|originally|officially|personally|especially|particularly|"
    r"quite|pretty|huge|only))(?:\s+|$)",
    re.IGNORECASE,
)
_UNREAL = re.compile(
    r"(?:'d|'ll|would|could|might|may|should|will|must|wanna|gonna|gotta|shall|ought|"
    r"(?:hope|hoping|plan|planning|going|want|wanted|wants|trying|try|tries|tried|need|needs|have|"
    r"has|had|supposed|about|wish|dream|dreaming|considering|thinking|think|guess|pretend|imagine|"
    r"almost|nearly|afraid|scared|tempted|able|ready|happy|looking|look)"
    r"(?: to| of| about| that| forward|$)|wish|almost|nearly|imagine|think|guess|hope|if)\b",
    re.IGNORECASE,
)
_ANYMORE = re.compile(r"\b(?:any ?more|any longer)\b", re.IGNORECASE)
_FOLLOWING = re.compile(
    r"\s*(?:,\s*)?\b(?:and|but)\s+(?=(?:also |now |then |currently |still |really )*(?:lives?|"
    r"works?|love|loves|likes?|enjoy|enjoys|hates?|speaks?|moved|studied|studies|worked|lived|plays?|"
    r"own|owns|have|has|am|is|visited|met|joined|left|attended|prefer|graduated|bought|adopted)\b)",
    re.IGNORECASE,
)
_KIN_SUBJECT = re.compile(
    r"[Mm]y (?:older |younger |little |big |best |good |dear |new |late )*"
    r"(?P<kin>sister|brother|mother|father|mom|mum|dad|wife|husband|partner|girlfriend|boyfriend|"
    r"fiancée?|son|daughter|cousin|aunt|uncle|grandmother|grandfather|grandma|grandpa|niece|nephew|"
    r"friend|boss|manager|colleague|coworker|roommate|neighbou?r)"
    r"(?:,? (?P<name>[A-Z][^\W\d_]+(?:[ -][A-Z][^\W\d_]+){0,2}))?,?\s+(?=[a-z])"
)
_THIRD_VERB = re.compile(THIRD_VERB)


@dataclass(frozen=True, slots=True)
class Predicate:
    """What is said of a subject, without auxiliaries.

    `be` is set after a form of "to be" ("a nurse" of "I'm a nurse"), `past` after was/were/did,
    `perfect` after have/has, `ended` after "used to", "no longer" and "not ... anymore".
    """

    text: str
    lower: str
    first: str
    be: bool = False
    past: bool = False
    perfect: bool = False
    negated: bool = False
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who says "I": None as `subject` when nobody's own facts are to be taken (an assistant)."""

    subject: Subject
    people: frozenset[str]


def is_unreal(clause: str) -> bool:
    """Whether a clause only supposes ("if I lived in Rome"), asks or proposes."""
    return _UNREAL_LEAD.match(clause) is not None


def reports(clause: str) -> bool:
    """Whether what follows the clause is somebody's words or thought ("She said ...")."""
    return _REPORT_END.search(clause) is not None


def statements_in(clause: str, speaker: Speaker) -> Iterator[tuple[Subject, Predicate]]:
    """The clause's subject with each of its predicates that is meant as real."""
    clause = _without_lead(clause)
    if is_unreal(clause):
        return
    taken = _take_subject(clause, speaker)
    if taken is None:
        return
    subject, rest = taken
    for part in _FOLLOWING.split(rest):
        predicate = parse_predicate(part)
        if predicate is None:
            return  # "I might move and work there": what follows is unreal as well
        yield subject, predicate


def parse_predicate(rest: str) -> Predicate | None:
    """The predicate at the start of `rest`, or None when it is a wish, a plan or a guess."""
    be = past = perfect = negated = ended = False
    while True:
        if _UNREAL.match(rest) and not _AUXILIARY.match(rest):
            return None
        match = _AUXILIARY.match(rest)
        if match is None:
            break
        kind = match.lastgroup
        be = be or kind in ("be", "was")
        past = past or kind == "was" or (kind == "did" and match.group().lower().startswith("did"))
        perfect = perfect or kind == "have"
        ended = ended or kind == "ended"
        if kind == "not":
            word = match.group().lower().strip()
            if word == "can't stand":
                break
            negated = True
            be = be or word in ("isn't", "aren't", "wasn't", "weren't", "ain't")
        rest = rest[match.end() :]
    if not rest:
        return None
    if negated and _ANYMORE.search(rest):
        negated, ended = False, True
    lower = rest.lower()
    first = lower.split(None, 1)[0].strip(".,!'")
    return Predicate(rest, lower, first, be, past, perfect, negated, ended)


def _without_lead(clause: str) -> str:
    while match := _LEAD.match(clause):
        clause = clause[match.end() :]
    lead = _TIME_LEAD.match(clause)
    return clause[lead.end() :] if lead else clause


def _take_subject(clause: str, speaker: Speaker) -> tuple[Subject, str] | None:
    own = _OWN.match(clause)
    if own:
        short = own["short"] or ""
        return speaker.subject, f"{short} {clause[own.end() :]}".strip()
    kin = _KIN_SUBJECT.match(clause)
    if kin:
        return _relative_of(kin, speaker), clause[kin.end() :]
    return _third_person(clause, speaker) if clause[:1].isupper() else None


def _third_person(clause: str, speaker: Speaker) -> tuple[Subject, str] | None:
    """A person's name followed by what only a person does."""
    named = name_at(clause)
    if named is None or not clause[named[1] :].startswith((" ", "'s ")):
        return None
    name, end = named
    rest = clause[end:].removeprefix("'s").strip()
    if not _THIRD_VERB.match(rest) or not could_be_person(name):
        return None
    known = name.lower() in speaker.people or is_given_name(name.split()[0])
    if not known and (" " not in name or name.lower().split()[0] in COMMON):
        return None
    return Subject(EntityRef(name, "PERSON"), name), rest


def _relative_of(kin: re.Match[str], speaker: Speaker) -> Subject:
    name = kin["name"]
    if name and name[0].isupper() and could_be_person(name):
        return Subject(EntityRef(name, "PERSON"), name)
    word = kin["kin"].lower()
    owner = speaker.subject
    display = f"{owner.display}'s {word}" if owner.display else word
    reference = EntityRef(f"{owner.ref.name} {word}", "PERSON")
    return Subject(reference, display, is_node=False)
