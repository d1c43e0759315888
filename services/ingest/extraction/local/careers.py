"""Work and study: employers, occupations, schools, skills, tools, languages."""

import re

from services.ingest.extraction.local.chinese.script import has_han
from services.ingest.extraction.local.finding import Edge, Finding, Subject
from services.ingest.extraction.local.gazetteer import (
    GAMES,
    INSTRUMENTS,
    LANGUAGES,
    OCCUPATIONS,
    SKILLS,
    WORKPLACES,
)
from services.ingest.extraction.local.names import (
    could_be_person,
    is_given_name,
    is_organization,
    is_place,
    is_school,
    name_at,
)
from services.ingest.extraction.local.phrases import listed
from services.ingest.extraction.local.predicates import Predicate
from services.ingest.extraction.local.vocabulary import COMMON
from services.ingest.extraction.model import EntityRef

_ARTICLE_NOUNS = r"(?P<noun>an? (?:[\w-]+ ){0,3}?[\w-]+)"
_WORK = re.compile(
    r"(?:(?:work|works|worked|working)(?: (?:full[- ]time|part[- ]time|remotely))?"
    rf"(?: as {_ARTICLE_NOUNS})? (?P<at>at|for)|employed (?:at|by)|interning at) ",
    re.IGNORECASE,
)
_JOIN = re.compile(
    r"(?:joined|started (?:working |a (?:new )?job |my (?:new )?job )?at|"
    r"(?:got|found|landed|accepted|took|have|has) (?:a|my|the|an) (?:new |first |dream )?"
    r"(?:job|position|role|internship)"
    r"(?: (?:as|of) an? [\w -]{3,30}?)? (?:at|with)|got hired (?:at|by)|hired (?:at|by)) ",
    re.IGNORECASE,
)
_LEAVE = re.compile(
    r"(?:left|quit|resigned from|retired from|(?:got |was |were )?laid off (?:from|by)|"
    r"(?:got )?fired (?:from|by)|lost (?:my|the) job at|quit (?:my|the) job at|"
    r"left (?:my|the) job at|stopped working (?:at|for)) ",
    re.IGNORECASE,
)
# "at Google in Zurich as a nurse": the title may stand behind the employer and where that is.
_TITLE_WORD = (
    r"(?!(?:and|but|so|or|in|at|for|with|since|who|while|because|on|from|of|as|if|though|my|his|her|"
    r"your)\b)[\w-]+"
)
_TITLE = re.compile(
    r"(?:,? (?:full[- ]time|part[- ]time|remotely|now|currently|again|(?:in|near|from) "
    r"[A-Z][\w'-]*(?: [A-Z][\w'-]*)*))*,? as (?:the |their |our )?"
    rf"(?P<noun>{_TITLE_WORD}(?: {_TITLE_WORD}){{0,4}})"
)
_AS = re.compile(rf"(?:work|works|working|worked) as {_ARTICLE_NOUNS}(?=[\s,.!?]|$)", re.IGNORECASE)
_OCCUPATION = re.compile(
    r"an? (?P<noun>(?:[\w'-]+ ){0,4}?[\w'-]+)(?= (?:at|in|for|with|from|by|"
    r"and|who|based|here|now|since|of|on|turned|to)\b|[,.;!?]|$)",
    re.IGNORECASE,
)
_STUDY = re.compile(
    r"(?:(?:study|studies|studied|studying|majored|majoring)(?: (?P<what>[\w -]{3,40}?))? at|"
    r"graduated from|enrolled (?:at|in)|attends?|attended|attending|(?:go|goes|went) to|"
    r"(?:got|earned|have|has) (?:my|a|an|their) [\w' -]{2,40}? (?:from|at)) ",
    re.IGNORECASE,
)
_SPEAK = re.compile(
    r"(?:speaks?|spoke|am fluent in|fluent in|bilingual in)(?: (?:fluent|some|a little|a bit of|"
    r"basic|good|native|both|only|decent))* (?P<list>[\w ,]+)",
    re.IGNORECASE,
)
_SKILL = re.compile(
    r"(?:can (?:play|speak|code in|program in)|plays?|codes? in|programs? in|knows?|good at|"
    r"great at|skilled in|skilled at|experienced in|proficient in|writes? code in|certified in)"
    r"(?: the| some| a bit of| a little)? (?P<what>[\w+#, ]+)",
    re.IGNORECASE,
)
_USES = re.compile(r"(?:uses?|using|switched to|rely on|relies on) ", re.IGNORECASE)
_PLAYING = ("play", "plays", "can")
_ROLE_WORDS = re.compile(r"^an? ", re.IGNORECASE)


def _company_at(text: str) -> str | None:
    """An employer's name: anything named that is not a person, a place or a common word."""
    named = name_at(text)
    if named is None:
        return None
    name = named[0]
    first = name.split()[0]
    if is_organization(name):
        return name
    written = name[0].isupper() or has_han(name)
    if is_place(name) or not written or is_given_name(first) or len(name) < 2:
        return None
    return None if first.lower() in COMMON else name


def works_at(subject: Subject, predicate: Predicate) -> Finding | None:
    """ "work at Google as ...", "work as ... at Google", "used to work for IBM", "at a bank"."""
    match = _WORK.match(predicate.text)
    if match is None or predicate.negated:
        return occupation(subject, predicate)  # "work as a nurse"
    rest = predicate.text[match.end() :]
    past = predicate.first == "worked" and not predicate.perfect
    gone = predicate.ended or predicate.past or past
    role = _occupation(match["noun"] or "")
    company = _company_at(rest)
    if company:
        return _employed(subject, company, role or _title_after(rest, company), gone=gone)
    longer = _ending_in(rest, WORKPLACES)
    if match["at"] and longer:
        return _at_a_workplace(subject, longer, role or _title_after(rest, longer), gone=gone)
    return occupation(subject, predicate)


def _title_after(rest: str, employer: str) -> str | None:
    """ "nurse" of "Acme as a nurse": the title behind an employer that was just read."""
    match = _TITLE.match(rest, rest.lower().find(employer.lower()) + len(employer))
    return _occupation(match["noun"]) if match else None


def _at_a_workplace(subject: Subject, place: str, role: str | None, *, gone: bool) -> Finding:
    """ "works at a hospital as a nurse": an employer that has no name, and so no node."""
    return Finding(
        subject,
        f"{'used to work' if gone else 'works'} at {place}{_as_a(role)}",
        category="work",
        slot=None if gone else "employer",
        profile=() if gone or role is None else (("occupation", role, "set"),),
    )


def _ending_in(text: str, nouns: frozenset[str]) -> str | None:
    """ "a local animal shelter" of "a local animal shelter downtown": up to the known noun."""
    words = re.match(r"an? (?:[\w-]+ ?){1,4}", text, re.IGNORECASE)
    if words is None:
        return None
    parts = words.group().split()
    for end in range(len(parts), 1, -1):
        if parts[end - 1].lower() in nouns or " ".join(parts[end - 2 : end]).lower() in nouns:
            return " ".join(parts[:end])
    return None


def _employed(subject: Subject, company: str, role: str | None, *, gone: bool) -> Finding:
    profile = f"{role} at {company}" if role else f"works at {company}"
    return Finding(
        subject,
        f"{'used to work' if gone else 'works'} at {company}{_as_a(role)}",
        importance=6 if gone else 8,
        confidence=0.9,
        category="work",
        slot=None if gone else "employer",
        edges=(Edge("WORKS_AT", EntityRef(company, "ORGANIZATION"), ended=gone),),
        profile=() if gone else (("occupation", profile, "set"),),
    )


def joined(subject: Subject, predicate: Predicate) -> Finding | None:
    """ "joined Acme as a nurse", "got a job at Acme"."""
    match = _JOIN.match(predicate.text)
    rest = predicate.text[match.end() :] if match else ""
    company = _company_at(rest)
    if company is None or predicate.negated:
        return None
    if predicate.first == "joined" and re.search(
        r"\b(?:club|team|group|class|gym|choir|band|league|course)\b", predicate.lower
    ):
        return None
    return _employed(subject, company, _title_after(rest, company), gone=predicate.ended)


def left(subject: Subject, predicate: Predicate) -> Finding | None:
    """ "left Google", "was laid off from Google"."""
    match = _LEAVE.match(predicate.text)
    if match is None or predicate.negated:
        return None
    rest = predicate.text[match.end() :]
    company = _company_at(rest)
    # "left Anna", "left Hogwarts": only what is known or said to be work is an employer.
    sure = "job" in match.group() or match.group().lower().split()[0] not in ("left", "quit")
    if company is None or (could_be_person(company) and not (sure or _end_or_time(rest, company))):
        return None
    return Finding(
        subject,
        f"left {company}",
        memory_type="episodic",
        importance=7,
        confidence=0.85 if is_organization(company) else 0.65,
        category="work",
        edges=(Edge("WORKS_AT", EntityRef(company, "ORGANIZATION"), ended=True),),
        dated=True,
    )


def _end_or_time(rest: str, company: str) -> bool:
    after = rest[rest.find(company) + len(company) :]
    return (
        re.match(
            r"\W*(?:$|last|in|after|to (?:join|work|start)|this|yesterday|two|a)\b|\W*$", after
        )
        is not None
    )


def occupation(subject: Subject, predicate: Predicate) -> Finding | None:
    """ "am a software engineer", "work as a nurse"."""
    as_match = _AS.match(predicate.text)
    if as_match is None and not predicate.be:
        return None
    if as_match:
        noun = as_match["noun"]
    else:
        match = _OCCUPATION.match(predicate.text)
        noun = match.group() if match else ""
    role = _occupation(noun)
    if role is None or predicate.negated:
        return None
    gone = predicate.ended or predicate.past or predicate.first == "worked"
    company = re.search(r"\b(?:at|for) ", predicate.text)
    employer = _company_at(predicate.text[company.end() :]) if company else None
    if employer:
        return _employed(subject, employer, role, gone=gone)
    return Finding(
        subject,
        f"{'used to be' if gone else 'is'} {_with_article(role)}",
        importance=6 if gone else 8,
        confidence=0.9,
        category="work",
        slot=None if gone else "occupation",
        profile=() if gone else (("occupation", role, "set"),),
    )


def _occupation(noun: str) -> str | None:
    """The role in "a senior software engineer", when its last words are an occupation."""
    words = _ROLE_WORDS.sub("", noun.strip()).split()
    for end in range(len(words), 0, -1):
        tail = " ".join(words[max(0, end - 2) : end]).lower()
        if words[end - 1].lower() in OCCUPATIONS or tail in OCCUPATIONS:
            plain = " ".join(words[:end])
            return (
                None if re.search(r"\b(?:good|great|bad|big|better|fan|such)\b", plain) else plain
            )
    return None


def _as_a(role: str | None) -> str:
    return f" as {_with_article(role)}" if role else ""


def _with_article(role: str) -> str:
    return f"{'an' if role[0].lower() in 'aeiou' else 'a'} {role}"


def studied_at(subject: Subject, predicate: Predicate) -> Finding | None:
    """ "study physics at MIT", "graduated from Stanford". What is over still holds: never ended."""
    match = _STUDY.match(predicate.text)
    named = name_at(predicate.text[match.end() :]) if match and not predicate.negated else None
    if named is None or not is_school(named[0]):
        return None
    now = predicate.first in ("study", "studies", "studying", "attend", "attends", "go", "goes")
    what = f" {match['what']}" if match and match["what"] else ""
    return Finding(
        subject,
        f"{'studies' if now and not predicate.ended else 'studied'}{what} at {named[0]}",
        importance=7,
        confidence=0.9,
        category="education",
        edges=(Edge("STUDIED_AT", EntityRef(named[0], "ORGANIZATION")),),
    )


def speaks(subject: Subject, predicate: Predicate) -> Finding | None:
    """ "speak English and some Spanish"."""
    match = _SPEAK.match(predicate.text.removeprefix("can "))
    if match is None or predicate.negated:
        return None
    found = [
        word.capitalize() for word in re.findall(r"\w+", match["list"]) if word.lower() in LANGUAGES
    ]
    if not found:
        return None
    names = found[0] if len(found) == 1 else f"{', '.join(found[:-1])} and {found[-1]}"
    return Finding(
        subject,
        f"speaks {names}",
        category="skill",
        confidence=0.9,
        edges=tuple(Edge("SPEAKS", EntityRef(name, "SKILL")) for name in found),
    )


def skill(subject: Subject, predicate: Predicate) -> Finding | None:
    """ "play the guitar", "can code in Rust", "play tennis" (a hobby)."""
    match = _SKILL.match(predicate.text)
    if match is None or predicate.negated:
        return None
    named: dict[str, tuple[str, str]] = {}
    for item in re.split(r",\s*(?:and\s+)?|\s+and\s+|\s+or\s+", match["what"]):
        found = _known_ability(item.removeprefix("the "), playing=predicate.first in _PLAYING)
        if found is None:
            break
        named[found[0]] = found[1], found[2]
    if not named:
        return None
    hobby = all(relation == "HOBBY" for relation, _ in named.values())
    verb = "knows" if any(said == "knows" for _, said in named.values()) else "plays"
    return Finding(
        subject,
        f"{verb} {listed(list(named))}",
        importance=5,
        category="hobby" if hobby else "skill",
        edges=tuple(
            Edge(relation, EntityRef(name, "CONCEPT" if relation == "HOBBY" else "SKILL"))
            for name, (relation, _) in named.items()
        ),
        profile=tuple(
            ("interests", name, "append")
            for name, (relation, _) in named.items()
            if relation == "HOBBY"
        ),
    )


def _known_ability(item: str, *, playing: bool) -> tuple[str, str, str] | None:
    """The skill, instrument or game an item begins with: its name, relation and verb."""
    words = item.split()
    for count in (2, 1):
        name = " ".join(words[:count])
        lower = name.lower()
        if lower in SKILLS:
            return name, "HAS_SKILL", "knows"
        if lower in INSTRUMENTS:
            return lower, "HAS_SKILL", "plays"
        if lower in GAMES and playing:
            return lower, "HOBBY", "plays"
    return None


def uses(subject: Subject, predicate: Predicate) -> Finding | None:
    """ "use PostgreSQL": named tools only."""
    match = _USES.match(predicate.text)
    rest = predicate.text[match.end() :] if match else ""
    named = name_at(rest) if rest and not predicate.negated else None
    if named is None or is_place(named[0]) or is_given_name(named[0].split()[0]):
        return None
    if named[0].lower() in COMMON and not is_organization(named[0]):
        return None
    return Finding(
        subject,
        f"{'used to use' if predicate.ended else 'uses'} {named[0]}",
        importance=5,
        category="skill",
        edges=(Edge("USES", EntityRef(named[0], "ENTITY"), ended=predicate.ended),),
    )
