"""Which rules look at a clause: chosen by the first word of its predicate, so most cost nothing."""

from collections.abc import Callable, Iterator

from services.ingest.extraction.local import careers, events, people, places, possessions, tastes
from services.ingest.extraction.local.clauses import clauses_of
from services.ingest.extraction.local.finding import Finding, Subject
from services.ingest.extraction.local.predicates import (
    Predicate,
    Speaker,
    is_unreal,
    reports,
    statements_in,
)
from services.ingest.extraction.local.sentences import Sentence

PredicateRule = Callable[[Subject, Predicate], Finding | None]

_BY_VERB: tuple[tuple[PredicateRule, str], ...] = (
    (places.lives_in, "live lives living lived reside resides based settled"),
    (places.moved, "moved move moves relocated relocate"),
    (places.born, "born"),
    (places.comes_from, "from come comes originally grew raised"),
    (places.visited, "visited went traveled travelled flew drove got came to took"),
    (careers.works_at, "work works worked working employed interning"),
    (careers.joined, "joined started got found landed accepted took have has hired"),
    (careers.left, "left quit resigned retired laid fired lost stopped got"),
    (careers.studied_at, "study studies studied studying majored majoring graduated enrolled "
                         "attend attends attended attending go goes went got earned have has"),
    (careers.speaks, "speak speaks spoke fluent bilingual can"),
    (careers.skill, "can play plays code codes program programs know knows good great skilled "
                    "experienced proficient write writes certified"),
    (careers.uses, "use uses using switched rely relies"),
    (careers.occupation, "a an"),
    (tastes.taste, "love loves adore adores like likes enjoy enjoys hate hates dislike dislikes "
                   "can't cannot detest despise detests despises prefer prefers into a fan keen "
                   "fond interested passionate fascinated obsessed"),
    (tastes.hobby, "took taken got gotten started go goes do does"),
    (tastes.health, "allergic diagnosed vegetarian vegan pescatarian gluten-free gluten lactose "
                    "celiac coeliac diabetic a"),
    (people.married, "married engaged dating seeing got"),
    (people.met, "met ran caught hung had"),
    (people.knows, "know knows"),
    (possessions.owns, "have has had own owns bought adopted got purchased rescued"),
    (events.attended, "attended went joined participated took got been to competed"),
    (events.member_of, "a an member"),
)  # fmt: skip

_RULES: dict[str, tuple[PredicateRule, ...]] = {}
for _rule, _verbs in _BY_VERB:
    for _verb in _verbs.split():
        _RULES[_verb] = (*_RULES.get(_verb, ()), _rule)


def findings_in(sentence: Sentence, speaker: Speaker) -> Iterator[tuple[Finding, str]]:
    """Everything the rules find in a sentence, each with the clause it was found in."""
    clauses = clauses_of(sentence)
    supposed = False
    for clause in clauses:
        # A supposition colours the rest of its sentence, and so does "she said".
        supposed = supposed or is_unreal(clause)
        if not supposed:
            for subject, predicate in statements_in(clause, speaker):
                yield from ((each, clause) for each in _applied(subject, predicate))
        supposed = supposed or reports(clause)
    if clauses and not is_unreal(clauses[0]) and not supposed:
        yield from ((each, sentence.plain) for each in _anywhere(sentence, speaker))


def _applied(subject: Subject, predicate: Predicate) -> Iterator[Finding]:
    aged = (
        people.age(subject, predicate)
        if predicate.text[:1].isdigit() or (predicate.first == "turned")
        else None
    )
    if aged:
        yield aged
    for rule in _RULES.get(predicate.first, ()):
        finding = rule(subject, predicate)
        if finding:
            yield finding
            return


def _anywhere(sentence: Sentence, speaker: Speaker) -> Iterator[Finding]:
    """What is presupposed wherever it stands ("my sister Anna")."""
    subject = speaker.subject
    if sentence.question or ("my" not in sentence.word_set and "me" not in sentence.word_set):
        if "i go by" in sentence.lower and not sentence.question:
            yield from people.identity(subject, sentence.plain)
        return
    yield from people.kinship(subject, sentence.plain)
    yield from possessions.pets(subject, sentence.plain)
    yield from people.identity(subject, sentence.plain)
    for rule in (tastes.favorite, tastes.named_hobby):
        finding = rule(subject, sentence.plain)
        if finding:
            yield finding
