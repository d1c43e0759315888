"""A sentence of English in clauses, each of which may say something of its own."""

import re
from collections.abc import Iterator

from services.ingest.extraction.local.sentences import Sentence

_OWN = r"(?:I|i|we|We|my|My|our|Our|I'm|i'm|I've|i've|we're|we've)\b"
_JOIN = r"(?:and|but|so|because|'cause|cause|cuz|while|though|although|plus|then|yet|or)"
_CLAUSE = re.compile(
    rf"\s*[;:—–…]\s*|\s+-+\s+|,\s+(?:{_JOIN}\s+)?(?=(?:then\s+|now\s+|also\s+)?{_OWN})|"
    rf"\s+{_JOIN}\s+(?=(?:then\s+|now\s+|also\s+)?{_OWN})|\s+since\s+(?={_OWN})|,\s+but\s+"
)
_QUESTION_TAIL = re.compile(
    r"(?:,|\s-+|\band|\bbut|\bso)\s+(?=(?:what|how|where|who|why|when|which|do|does|did|are|is|have|"
    r"has|can|could|would|will|any|you|and you|right|isn't|don't|doesn't)\b)",
    re.IGNORECASE,
)

# What a person in the third person does, so that a name before it is a subject.
THIRD_VERB = (
    r"(?:(?:has |also |now |still |currently |really |recently |just |no longer |never )*(?:works|"
    r"lives|worked|lived|moved|studies|studied|speaks|loves|likes|hates|enjoys|owns|plays|joined|"
    r"left|visited|attended|graduated|prefers|adopted|bought|quit|relocated|used to|was born|"
    r"is (?:an?|from|allergic|married|my|based|living|working|studying|\d)|has (?:an?|two|three)|"
    r"doesn't|got (?:a job|married)))\b"
)
_NAMED = rf"(?:[A-Z][^\W\d_]+(?:[ -][A-Z][^\W\d_]+){{0,2}}(?= {THIRD_VERB}))"
_PRONOUN = r"(?:he|she|they|it|you|he's|she's|they're|it's|you're)\b(?= [a-z])"
_OTHERS = re.compile(rf",?\s+(?:and|but|so|while|because)\s+(?={_NAMED}|{_PRONOUN})")
# A clause that is whole already: only behind one can another subject begin a new one. "My friends
# Tom and Anna moved" and "the friend of Tom and Anna works" have one subject.
_WHOLE = re.compile(
    rf"(?:.*\b)?(?:(?:I|i|we|We)(?:'m|'ve|'re)? [a-z]|[Mm]y [\w ]{{2,30}}? {THIRD_VERB}|{_NAMED})"
)
# In what somebody says, thinks or supposes there is no new beginning: that would make it a fact.
_HELD = re.compile(
    r"\b(?:said|says?|saying|told|tells?|asked|claims?|claimed|heard|wrote|think|thinks|thought|"
    r"believes?|believed|guess|hopes?|hoped|wish(?:es|ed)?|dream(?:s|t|ed)?|imagined?|suppose|"
    r"pretend(?:s|ed)?|if|whether|unless|when|whenever|until|that|maybe|perhaps|would|could|might|"
    r"may|should|'d|story|stories|book|books|movie|film|show|song|between|both)\b",
    re.IGNORECASE,
)


def clauses_of(sentence: Sentence) -> list[str]:
    """The parts of a sentence that may each say something of their own, without quotations."""
    text = sentence.plain
    if sentence.question:
        # "I live in Boston, what about you?" states something before it asks.
        cut = _QUESTION_TAIL.search(text)
        text = text[: cut.start()] if cut else ""
    parts = (part for piece in _CLAUSE.split(text) for part in _at_others(piece))
    return [stripped for part in parts if (stripped := part.strip(" ,.!?"))]


def _at_others(text: str) -> Iterator[str]:
    """Cut where somebody else becomes the subject: "I work here but | Anna lives in Rome"."""
    start = 0
    for cut in _OTHERS.finditer(text):
        before = text[start : cut.start()]
        if _HELD.search(before):
            break
        if _WHOLE.match(before):
            yield before
            start = cut.end()
    yield text[start:]
