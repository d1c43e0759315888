"""A Chinese sentence in clauses, each with its subject taken off and told as real or not."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from services.ingest.extraction.local.finding import Subject
from services.ingest.extraction.model import EntityRef

CUT = re.compile(r"[，,；;。！？!?：:\n]+|(?<=了)(?=但是|不过|可是|所以|而且|然后)")
# "我在 Google 工作": the space is for the eye.
_INNER_SPACE = re.compile(r"(?<=[\u4e00-\u9fff])\s+|\s+(?=[\u4e00-\u9fff])")
_LEAD = re.compile(
    r"(?:嗯|哦|啊|对了|其实|而且|但是|但|不过|可是|所以|因为|由于|然后|另外|还有|此外|同时|虽然|"
    r"现在|目前|如今|最近|近来|已经|刚刚|刚|终于|幸好|可惜|说实话|总的来说|顺便说一下)+"
)
_OWN = re.compile(
    r"(?:我们(?:一?家|俩)?|我自己|我本人|本人|咱们?|俺|我)"
    r"(?:的(?=名字)|家(?=养|有)|(?!的|[妈爸姐妹哥弟][妈爸姐妹哥弟]))"
)
# Adverbs before the verb that leave what is said as true as it was.
_ADVERBS = re.compile(
    r"(?:现在|目前|如今|最近|已经|一直|刚刚|刚|终于|其实|真的|确实|也|都|还|就|仍然|仍|还是|一般|"
    r"通常|平时|经常|常常|总是|主要|目前还|现在还|特别地?|全家|一起|又)+"
)
_UNREAL = re.compile(
    r"如果|要是|假如|假设|倘若|万一|希望|打算|可能|也许|或许|大概|应该|准备|计划|考虑|梦想|想要|想[去搬换学买在住找做当]|"
    r"好像|似乎|是不是|会不会|要不要|能不能|差点|将来|以后[会要想]|假装|快要|就要|要[搬去换]|将[要会]|会[搬去换在住]"
)
# What somebody else says, or the speaker only believes.
_REPORTED = re.compile(
    r"^[^我]{0,8}(?:说(?!到|起|来|实话|真的)|告诉我?|听说|以为|问我?)|听说|我(?:以为|梦见|梦到)"
)
IF = re.compile(r"如果|要是|假如|假设|倘若|万一")
_QUESTION = re.compile(r"(?:吗|呢|吧|么)$|什么|哪[里儿个些]?|谁|怎么|为什么|多少|几[个岁点]")


@dataclass(frozen=True, slots=True)
class Clause:
    """What a clause says of its subject. `text` is the clause whole, for what stands in it."""

    predicate: str
    text: str
    own: bool


def clauses_of(text: str, when: str = "") -> Iterator[Clause]:
    """The clauses in which somebody says something of themselves, that is meant as real.

    A clause without a subject goes on with the one before: "我住在上海，在银行工作". `when` is the
    sentence's time phrase, which is left out: it may stand before the subject or behind it.
    """
    own = False
    timed = re.compile(rf"(?:自从?|从)?{re.escape(when)}(?:起|开始|以来)?的?") if when else None
    for piece in CUT.split(text):
        whole = _INNER_SPACE.sub("", piece.strip())
        if not whole:
            continue
        if is_reported(whole):
            return  # the rest of the sentence is what was said
        if is_unreal(whole):
            if IF.match(whole):
                return  # so is what would follow from it
            own = False
            continue
        if is_asked(whole):
            continue
        bare = timed.sub("", whole, count=1) if timed else whole
        bare = _LEAD.sub("", bare, count=1) if _LEAD.match(bare) else bare
        match = _OWN.match(bare)
        if match:
            own, bare = True, bare[match.end() :]
        yield Clause(_ADVERBS.sub("", bare, count=1) if _ADVERBS.match(bare) else bare, whole, own)


def is_reported(clause: str) -> bool:
    """Whether it gives what somebody else says, or what the speaker only believes."""
    return _REPORTED.search(clause) is not None


def is_unreal(clause: str) -> bool:
    """Whether it is supposed, wished for or planned."""
    return _UNREAL.search(clause) is not None


def is_asked(clause: str) -> bool:
    """Whether it is a question."""
    return _QUESTION.search(clause) is not None


def relative_of(owner: Subject, kin: str) -> Subject:
    """ "妹妹" as the owner's: no node, for it has no name."""
    display = f"{owner.display}的{kin}" if owner.display else kin
    return Subject(EntityRef(f"{owner.ref.name} {kin}", "PERSON"), display, is_node=False)
