"""Sentences kept as they were said: decisions, tasks, instructions, and what people tell.

The memory names the speaker and quotes ("Melanie: I ran a race last Saturday."), which needs no
grammar to be right and keeps every word findable.
"""

import re

from services.ingest.extraction.local.chinese.script import has_han
from services.ingest.extraction.local.chinese.statements import chinese_kind
from services.ingest.extraction.local.lexicon import words
from services.ingest.extraction.local.sentences import Sentence
from services.ingest.extraction.local.vocabulary import COMMON

MIN_WORDS = 5
MIN_TELLING_WORDS = 2
MIN_CJK_CHARACTERS = 6

_OWN_WORDS = words(
    """
i i'm i've i'd i'll im ive me my mine myself we we're we've we'd we'll us our ours ourselves
"""
)
_SUBJECTLESS = words(
    """
lost went got been just had started finished gonna took made bought visited met saw spent
planning thinking working trying learned signed joined found moved playing hoping reading
watching painted decided feeling volunteering growing
"""
)
_SMALL_TALK = re.compile(
    r"(?:(?:oh|wow|yeah|aww?|hey|well|haha|so|and|but|ok|okay|yes|no),?\s+)*"
    r"(?:thanks?\b|thank you|i(?:'m| am) (?:so |really |very |super |just )*(?:glad|happy|sorry|"
    r"proud|thrilled|excited) (?:you|for you|to hear|that you|of you|it|about (?:it|that))|"
    r"i (?:totally |completely |fully |really |definitely |so )*(?:agree|appreciate|understand|"
    r"get it|feel you|hear you|see what|know what you|know how you)|"
    r"i can't wait|i hope (?:you|it|that|so)|"
    r"i wish you|i bet\b|i guess\b|i see\b|i don't know\b|i'd love to (?:see|hear|know)|"
    r"let me know|let's\b|let us know|tell me|keep me|you(?:'re| are|'ve|'ll|r)?\b|congrat|sounds|"
    r"that(?:'s| is| sounds| must)|it(?:'s| is) (?:great|good|nice|so (?:good|great|nice)) "
    r"(?:to (?:hear|see|know)|"
    r"talking|chatting|catching)|good to|great to|nice to|glad |happy to|love (?:it|that)|"
    r"i love (?:it|that)\b|i know,? right|what |how |can't wait|good luck|take care|talk to you|"
    r"see you|catch you|bye|hello|hi\b|hey\b|good (?:morning|night|evening)|no (?:problem|worries)|"
    r"same here|me too|my pleasure|anytime|i'll (?:let you know|keep you|be sure|take a look|"
    r"definitely|check (?:it|that)))",
    re.IGNORECASE,
)
_DECISION = re.compile(
    r"\b(?:I|[Ww]e)(?:'ve| have)? (?:finally |just |already |both |all )?(?:decided|agreed|chosen|"
    r"chose|settled|opted) (?:to|on|that|against|for|not)\b|\b[Ww]e(?:'re| are) going with\b|"
    r"^(?:Decision|DECISION):",
)
_TODO = re.compile(
    r"\b(?:remind me|don't let me forget|don't forget to)\b|^(?:todo|to-do|to do)\b\s*:|"
    r"^(?:please )?remember to\b",
    re.IGNORECASE,
)
_DUTY = re.compile(r"\b(?:I|i|we|We)(?:'ve got| have| need|'ll need| must| gotta)(?: to)? \w+")
_NO_DUTY = re.compile(
    r"\b(?:have|need) to (?:say|admit|agree|be honest)\b|\bmust (?:say|be)\b", re.IGNORECASE
)
_INSTRUCTION = re.compile(
    r"^(?:please |and |also |from now on,? |in (?:the )?future,? )*"
    r"(?:(?:always|never|only|don't(?: ever)?|do not|stop|keep|make sure (?:to|you)|please|"
    r"from now on,?(?: please)?|in (?:the )?future,?)\s+)"
    r"(?:\w+ly )?(?:answer|reply|respond|write|use|using|call|address|format|speak|talk|explain|"
    r"include|avoid|(?:give|send|show) me|translate|summari[sz]e|cite|ask|suggest|mention|keep|"
    r"answering|replying|responding|calling|writing)\b|"
    r"^(?:please )?(?:answer|reply|respond|speak|talk|write|call me|address me)\b"
    r"(?: (?:to me|me))?(?: (?:only|always|in|with|by|briefly|as)\b)",
    re.IGNORECASE,
)
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_CJK_OWN = re.compile(r"[我咱俺私僕]|우리|저는|나는|제가|내가")
_CJK_QUESTION = re.compile(r"(?:吗|呢|么|ですか|ますか|까)[\s?？。]*$")


def kind_of(sentence: Sentence, *, dated: bool) -> str | None:
    """ "decision", "todo" or "instruction" when the sentence plainly is one, else None."""
    if sentence.question or sentence.stage_direction:
        return None
    text = sentence.plain.strip()
    if has_han(text):
        return chinese_kind(text)
    if _INSTRUCTION.match(text):
        return "instruction"
    if _TODO.search(text):
        return "todo"
    if _DECISION.search(text):
        return "decision"
    return "todo" if dated and _DUTY.search(text) and not _NO_DUTY.search(text) else None


def is_told(sentence: Sentence, *, dated: bool, names: int, felt: bool = False) -> bool:
    """Whether a sentence tells something: the speaker's own, a dated or a named thing.

    `felt` says that the speaker states a feeling of a time: few words are enough for that.
    """
    if sentence.question:
        return False
    if sentence.stage_direction:
        return len(sentence.words) >= 4
    if _CJK.search(sentence.text):
        return _is_told_in_cjk(sentence, dated=dated, felt=felt)
    if felt and not _SMALL_TALK.match(sentence.lower):
        return True
    if len(sentence.words) < MIN_WORDS or _SMALL_TALK.match(sentence.lower):
        return False
    own = not _OWN_WORDS.isdisjoint(sentence.word_set) or sentence.words[0] in _SUBJECTLESS
    foreign = sentence.word_set.isdisjoint(COMMON)  # another language: no rule to tell by
    return (own or dated or names > 0 or foreign) and telling_words(sentence) >= MIN_TELLING_WORDS


def telling_words(sentence: Sentence) -> int:
    """How many different words say what it is about."""
    return len({word for word in sentence.word_set - COMMON if len(word) > 2})


def _is_told_in_cjk(sentence: Sentence, *, dated: bool, felt: bool) -> bool:
    long = len(_CJK.findall(sentence.text)) >= MIN_CJK_CHARACTERS
    return (
        (long or (felt and dated))
        and (dated or felt or _CJK_OWN.search(sentence.text) is not None)
        and not _CJK_QUESTION.search(sentence.text)
    )
