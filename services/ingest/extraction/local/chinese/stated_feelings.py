"""Whose the feelings are that a Chinese sentence names: the speaker's, another's, nobody's.

A clause that ends in a feeling says that somebody has it: "我很紧张". Who that is stands before it,
or in the clause before that; where nobody does, it is the speaker, as in a diary.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from services.ingest.extraction.local.chinese.clauses import (
    CUT,
    IF,
    is_asked,
    is_reported,
    is_unreal,
)

_DEGREE = (
    "(?:非常|特别|十分|超级|有一?[点些]儿?|稍微|越来越|如此|这么|那么|极其|极度|超|很|挺|比较|最|更|真|"
    "好|太|不|没那么)"
)
# What says that somebody feels something; which feeling it is, and how strong, the lexicons say.
_FEELING = (
    "紧张|焦虑|担心|担忧|抑郁|疲惫|尴尬|无聊|郁闷|委屈|感动|"
    f"压力{_DEGREE}?大|"
    f"(?:心情|情绪){_DEGREE}*(?:好|差|糟糕?|愉快|舒畅)|"
    "低落|低沉|烦躁|烦恼|烦闷|沮丧|难过|难受|伤心|悲伤|痛苦|生气|愤怒|气愤|恼火|害怕|恐惧|不安|惊慌|"
    "恐慌|失望|绝望|崩溃|孤独|孤单|寂寞|失落|内疚|愧疚|羞愧|自责|嫉妒|惊讶|吃惊|震惊|开心|高兴|快乐|"
    "愉快|幸福|兴奋|激动|满意|满足|欣慰|自豪|轻松|放松|平静|感激|期待|不爽|心烦|心痛|心碎|疲倦"
)
_STATED = re.compile(
    "(?P<before>.*?)(?:感[到觉]|觉得|变得|心情|情绪|心里|内心|心中)?"
    f"(?:{_DEGREE}|地|都|也|还|又|就|真的|突然|一直|总是|经常|有时候?)*(?:{_FEELING})"
    "(?:极了|不已|得很|死了|坏了|[了的啊呢呀啦哦])*"
)
_LONGEST_STATED = 60
_BEHIND_A_NAME = "[很都也今昨非特有感最不]"
_PERSON = (
    "(?:他们?|她们?|它们?|你们?|您|大家|别人|人家|有人|妈妈?|母亲|爸爸?|父亲|姐姐?|妹妹?|哥哥?|弟弟?|"
    "老公|丈夫|老婆|妻子|爱人|男朋友|女朋友|儿子|女儿|爷爷|奶奶|外公|外婆|叔叔|阿姨|舅舅|姑姑|"
    "朋友|同事|同学|老板|领导|经理|主管|客户|室友|邻居|老师|学生|孩子|医生|家人|父母|"
    f"[老小阿](?!是|时)[\u4e00-\u9fff](?={_BEHIND_A_NAME})|"
    # Surnames that begin no common word; "周末" is one.
    "(?<![\u4e00-\u9fff])(?!周[末一二三四五六日天围年])[王李张刘陈杨赵周吴徐孙胡朱郭郑唐冯邓曹彭萧蔡潘袁"
    f"董吕魏蒋杜苏沈姜崔谭范廖贾邹邱侯薛闫郝龚邵][\u4e00-\u9fff]{{1,2}}(?={_BEHIND_A_NAME}))"
)
# Whom one is angry with, or met, has no feeling by that: "我对老板很生气", "见到他很开心".
_OTHERS = re.compile(
    "(?<![和跟与对被把给替为向陪帮])(?<!因为)(?<!见到)(?<!遇到)(?<!想起)(?<!认识)"
    f"(?:我们?的?|咱们?的?)?{_PERSON}"
)
_OWN = re.compile(f"(?:我们?|咱们?|俺|本人|自己)(?!们?的?{_PERSON})")
# "会很开心", "别难过", "不想紧张": what is to come, or not to be.
_AHEAD = re.compile(r"(?:会|将|能|要|想|别|希望|应该|可以|让[他她你].*)(?:不会|更|很)?$")
_QUOTES = ("“", "「", "『", '"')


@dataclass(frozen=True, slots=True)
class Feelings:
    """What a sentence expresses: `own_part` is its text without what is not the speaker's.

    `stated` says that the speaker names a feeling of theirs.
    """

    own_part: str
    stated: bool


@dataclass(frozen=True, slots=True)
class _Clause:
    text: str
    expresses: bool
    match: re.Match[str] | None


def feelings_in(text: str) -> Feelings:
    """The speaker's part of a sentence."""
    clauses = list(_read(text))
    stated = any(each.expresses and each.match for each in clauses)
    own = "，".join(each.text for each in clauses if each.expresses)
    return Feelings(own, stated)


def _read(text: str) -> Iterator[_Clause]:
    """The clauses; what follows from a supposition, or from what somebody says, is not own."""
    others = supposed = False
    for piece in CUT.split(text):
        whole = re.sub(r"\s+", "", piece)
        if not whole:
            continue
        supposed = supposed or IF.match(whole) is not None
        # A feeling ends its clause; a long clause would be tried from each of its characters.
        match = _STATED.fullmatch(whole, max(0, len(whole) - _LONGEST_STATED))
        before = whole[: match.end("before")] if match else whole
        others = _is_of_others(before, others=others)
        told = is_reported(whole)
        ahead = match is not None and (_AHEAD.search(before) or is_unreal(whole))
        quoted = whole.startswith(_QUOTES)
        held = supposed or told or quoted or is_asked(whole) or bool(ahead)
        yield _Clause(piece.strip(), not (held or (others and match is not None)), match)
        others = others or told


def _is_of_others(before: str, *, others: bool) -> bool:
    """Whether the last person named before the feeling is not the speaker."""
    own = max((each.start() for each in _OWN.finditer(before)), default=-1)
    other = max((each.start() for each in _OTHERS.finditer(before)), default=-1)
    return others if own == other == -1 else other > own
