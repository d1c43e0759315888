"""What the predicates of Chinese clauses say: a table, one row a way of saying something.

Each row is matched with the whole predicate, without subject and adverbs. Its groups fill the
sentence that is remembered, which is Chinese as well: what is asked for in Chinese has to have
words in common with it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from services.ingest.extraction.model import TASTE

# A name of Chinese characters or of Latin letters ("上海", "浦东新区", "Google", "New York").
_NAME = r"(?:[A-Za-z][\w.&+-]*(?: [A-Z][\w.&+-]*)*|(?:(?![的了过])[\u4e00-\u9fff·]){2,14}?)"
_THING = r"[^，。；！？的了过]{1,16}?"
_END = r"(?:了|的|呢|啦|哦|啊)*"
_DEGREE = r"(?:非常|特别|十分|超级|超|很|挺|比较|最|更|真|好|蛮|太)?"
# What stands where a name might, and is none.
NO_NAME = re.compile(
    r"^(?:这|那|哪|他|她|它|你|我|咱|自己|家|一[个家座间所种些]|某|同[一个]|国外|外地|外面|老家|附近|城里|乡下)"
    r"|(?:附近|旁边|对面|楼[上下里]|里面|外面|一起|那边|这边)$"
)

Kind = Literal["fact", "episodic"]
Form = Literal["set", "append"]
Check = Callable[[re.Match[str]], bool]


@dataclass(frozen=True, slots=True)
class Pattern:
    """One way of saying something. `content`, `edges` and `profile` hold "{group}" places.

    `edges` are (relation, custom name, node type, group, ended); `listed` groups are split at
    "、" and "和" and give an edge each.
    """

    form: re.Pattern[str]
    content: str
    kind: Kind = "fact"
    importance: int = 6
    confidence: float = 0.85
    category: str | None = None
    slot: str | None = None
    edges: tuple[tuple[str, str | None, str, str, bool], ...] = ()
    profile: tuple[tuple[str, str, Form], ...] = ()
    dated: bool = False
    listed: bool = False
    # The place must be one that is known: "上海人" is an origin, "好人" is none.
    known_place: bool = False


def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern + _END)


def _edge(
    relation: str, node_type: str, group: str, *, custom: str | None = None, ended: bool = False
) -> tuple[str, str | None, str, str, bool]:
    return relation, custom, node_type, group, ended


_HOME = _edge("LIVES_IN", "LOCATION", "place")
_LEFT_HOME = _edge("LIVES_IN", "LOCATION", "place", ended=True)
_OLD_HOME = _edge("LIVES_IN", "LOCATION", "old", ended=True)
_JOB = _edge("WORKS_AT", "ORGANIZATION", "org")
_LEFT_JOB = _edge("WORKS_AT", "ORGANIZATION", "org", ended=True)
_PLACE, _ORG = f"(?P<place>{_NAME})", f"(?P<org>{_NAME})"
_ROLE = r"(?P<role>[\u4e00-\u9fffA-Za-z]{2,10}?)"
_MOVED = r"(?:搬家?|搬迁|移居|迁居|迁)(?:到|去|至|来|回)了?"
_SOME = r"(?:[\u4e00-\u9fff]{2,8}的)?一[家个所间][\u4e00-\u9fff]{2,12}?"
_ROLES = (
    "工程师|医生|护士|老师|教师|律师|会计师?|司机|教授|程序员|设计师|经理|总监|厨师|作家|记者|学生|"
    "研究员|科学家|警察|演员|翻译|画家|摄影师|建筑师|药剂师|销售员|顾问|公务员|军人|农民|工人|博士生|研究生"
)
_LIVE = r"(?:住|居住|定居|生活)(?:在|于)"
_WORK = r"(?:工作|上班|任职|实习|做事)"

PATTERNS: tuple[Pattern, ...] = (
    Pattern(
        _form(rf"(?:不再|不){_LIVE}{_PLACE}"), "不再住在{place}",
        category="location", edges=(_LEFT_HOME,),
    ),
    Pattern(
        _form(rf"(?:以前|之前|曾经|曾|过去|原来|原先|小时候)(?:一直)?(?:{_LIVE}|在(?=.*(?:住|生活))){_PLACE}(?:(?:住|生活)过?)?"),
        "以前住在{place}", category="location", edges=(_LEFT_HOME,),
    ),
    Pattern(
        _form(rf"{_LIVE}{_PLACE}"), "住在{place}", importance=8, confidence=0.9,
        category="location", slot="location", edges=(_HOME,),
        profile=(("location", "{place}", "set"),),
    ),
    Pattern(
        _form(rf"家(?:住在?|在){_PLACE}"), "住在{place}", importance=8, confidence=0.85,
        category="location", slot="location", edges=(_HOME,),
        profile=(("location", "{place}", "set"),),
    ),
    Pattern(
        _form(rf"从(?P<old>{_NAME}){_MOVED}{_PLACE}"), "从{old}搬到{place}", importance=8,
        confidence=0.9, category="location", slot="location", edges=(_HOME, _OLD_HOME),
        profile=(("location", "{place}", "set"),),
    ),
    Pattern(
        _form(rf"{_MOVED}{_PLACE}"), "搬到{place}", importance=8, confidence=0.9,
        category="location", slot="location", edges=(_HOME,),
        profile=(("location", "{place}", "set"),),
    ),
    Pattern(
        _form(rf"(?:是在)?(?:出生(?:在|于)|生于){_PLACE}"), "出生在{place}", importance=8,
        confidence=0.95, category="personal", slot="birthplace",
        edges=(_edge("BORN_IN", "LOCATION", "place"),),
    ),
    Pattern(
        _form(rf"(?:是在|在){_PLACE}出生"), "出生在{place}", importance=8, confidence=0.95,
        category="personal", slot="birthplace", edges=(_edge("BORN_IN", "LOCATION", "place"),),
    ),
    Pattern(
        _form(rf"(?:来自|老家(?:是|在)){_PLACE}"), "来自{place}", importance=7,
        category="personal", edges=(_edge("CUSTOM", "LOCATION", "place", custom="from"),),
    ),
    Pattern(
        _form(rf"(?:去过?|到过)了?{_PLACE}(?:旅游|旅行|出差|度假|玩|游玩)"), "去{place}旅行",
        kind="episodic", importance=5, category="location", dated=True,
        edges=(_edge("VISITED", "LOCATION", "place"),),
    ),
    Pattern(
        _form(rf"(?:不再|不)在{_ORG}{_WORK}"), "不再在{org}工作", category="work",
        edges=(_LEFT_JOB,),
    ),
    Pattern(
        _form(rf"(?:以前|之前|曾经|曾|过去|原来)在{_ORG}{_WORK}过?"), "以前在{org}工作",
        category="work", edges=(_LEFT_JOB,),
    ),
    Pattern(
        _form(rf"从{_ORG}(?:离职|辞职|退休)"), "从{org}离职", kind="episodic", importance=7,
        category="work", edges=(_LEFT_JOB,), dated=True,
    ),
    Pattern(
        _form(rf"在(?P<what>{_SOME})(?:当|做|担任){_ROLE}"), "在{what}当{role}", importance=8,
        category="work", slot="occupation", profile=(("occupation", "{role}", "set"),),
    ),
    Pattern(
        _form(rf"在(?P<what>{_SOME}){_WORK}"), "在{what}工作", importance=7, category="work",
        slot="employer",
    ),
    Pattern(
        _form(rf"在{_ORG}(?:当|做|担任){_ROLE}"), "在{org}当{role}", importance=8,
        confidence=0.9, category="work", slot="employer", edges=(_JOB,),
        profile=(("occupation", "{org} {role}", "set"),),
    ),
    Pattern(
        _form(rf"(?:在{_ORG}{_WORK})"), "在{org}工作", importance=8, confidence=0.9,
        category="work", slot="employer", edges=(_JOB,),
        profile=(("occupation", "在{org}工作", "set"),),
    ),
    Pattern(
        _form(rf"(?:加入|入职|就职于|任职于|跳槽到)了?{_ORG}(?:公司)?"), "在{org}工作",
        importance=8, category="work", slot="employer", edges=(_JOB,),
        profile=(("occupation", "在{org}工作", "set"),),
    ),
    Pattern(
        _form(rf"(?:是|当|做)(?:一|1)?[名个位]{_ROLE}"), "是一名{role}", importance=8,
        category="work", slot="occupation", profile=(("occupation", "{role}", "set"),),
    ),
    Pattern(
        _form(rf"是(?P<role>[\u4e00-\u9fffA-Za-z]{{0,8}}?(?:{_ROLES}))"), "是{role}", importance=8,
        category="work", slot="occupation", profile=(("occupation", "{role}", "set"),),
    ),
    Pattern(
        _form(rf"是{_PLACE}人"), "是{place}人", importance=7, category="personal",
        edges=(_edge("CUSTOM", "LOCATION", "place", custom="from"),), known_place=True,
    ),
    Pattern(
        _form(r"(?:毕业于|就读于|考上了?)(?P<org>[\u4e00-\u9fffA-Za-z ]{2,16}?)"), "就读于{org}",
        importance=7, category="education", edges=(_edge("STUDIED_AT", "ORGANIZATION", "org"),),
    ),
    Pattern(
        _form(r"在(?P<org>[\u4e00-\u9fffA-Za-z ]{2,12}?(?:大学|学院|中学|University))"
              r"(?:读书|上学|学习|读|念书?|毕业)[^，。]{0,8}?"),
        "就读于{org}", importance=7, category="education",
        edges=(_edge("STUDIED_AT", "ORGANIZATION", "org"),),
    ),
    Pattern(
        _form(r"会(?:说|讲)(?:一点|一些|流利的)?(?P<what>[\u4e00-\u9fff、和]{1,16}?[语文话])"),
        "会说{what}", category="skill", listed=True,
        edges=(_edge("SPEAKS", "SKILL", "what"),),
    ),
    Pattern(
        _form(r"会(?P<verb>弹|拉|吹|打)(?P<what>[\u4e00-\u9fff]{1,6}?)"), "会{verb}{what}",
        importance=5, category="skill", edges=(_edge("HAS_SKILL", "SKILL", "what"),),
    ),
    Pattern(
        _form(r"对(?P<what>[^，。了]{1,12}?)(?:严重)?过敏"), "对{what}过敏", importance=9,
        confidence=0.9, category="health", listed=True,
        edges=(_edge("CUSTOM", "CONCEPT", "what", custom="allergic_to"),),
    ),
    Pattern(
        _form(r"(?:吃素|是(?:一?[名个位])?素食(?:主义)?者)"), "吃素", importance=8,
        category="health", slot="diet", profile=(("preferences", "吃素", "append"),),
    ),
    Pattern(
        _form(r"最喜欢的(?P<what>[\u4e00-\u9fff]{1,6}?)是(?P<which>[^，。；！？的了]{1,12}?)"),
        "最喜欢的{what}是{which}", category=TASTE,
        edges=(_edge("CUSTOM", "CONCEPT", "which", custom="likes"),),
        profile=(("preferences", "最喜欢的{what}是{which}", "append"),),
    ),
    Pattern(
        _form(rf"(?:不再|以前|曾经|过去)(?:很|非常)?(?:喜欢|爱)(?P<what>{_THING})"),
        "以前喜欢{what}", importance=4, category=TASTE, listed=True,
        edges=(_edge("CUSTOM", "CONCEPT", "what", custom="likes", ended=True),),
    ),
    Pattern(
        _form(rf"(?:从来|从)?不(?P<verb>[吃喝])(?P<what>{_THING})"), "不{verb}{what}",
        importance=6, category=TASTE, listed=True,
        edges=(_edge("CUSTOM", "CONCEPT", "what", custom="avoids"),),
        profile=(("preferences", "不{verb}{what}", "append"),),
    ),
    Pattern(
        _form(rf"(?:{_DEGREE}(?:讨厌|厌恶|受不了|恨)|(?:一点也|根本)?不(?:太|是很|怎么|再)?喜欢)"
              rf"(?P<what>{_THING})"),
        "不喜欢{what}", importance=5, category=TASTE, listed=True,
        edges=(_edge("CUSTOM", "CONCEPT", "what", custom="dislikes"),),
        profile=(("preferences", "不喜欢{what}", "append"),),
    ),
    Pattern(
        _form(rf"{_DEGREE}(?:喜欢上?|喜爱|热爱|爱好|爱(?=[吃喝看听玩打跑读唱做养旅游])|迷上)了?"
              rf"(?P<what>{_THING})"),
        "喜欢{what}", importance=5, category=TASTE, listed=True,
        edges=(_edge("CUSTOM", "CONCEPT", "what", custom="likes"),),
        profile=(("preferences", "喜欢{what}", "append"),),
    ),
    Pattern(
        _form(rf"对(?P<what>{_THING}){_DEGREE}感兴趣"), "对{what}感兴趣",
        importance=5, category=TASTE, listed=True,
        edges=(_edge("CUSTOM", "CONCEPT", "what", custom="interested_in"),),
        profile=(("interests", "{what}", "append"),),
    ),
    Pattern(
        _form(r"(?:的名字)?(?:名?叫|名字是)(?:做)?(?P<name>[\u4e00-\u9fff·]{2,5}?|[A-Z][a-z]+)"),
        "名叫{name}", importance=9, confidence=0.95, category="personal", slot="name",
        profile=(("identity", "{name}", "set"),),
    ),
    Pattern(
        _form(r"(?:今年)?(?:满)?(?P<age>\d{1,3}|[一二三四五六七八九十]{2,3})岁"), "{age}岁",
        importance=7, category="personal", slot="age",
    ),
    Pattern(
        _form(r"(?:养|有|买|领养)了?(?P<count>[一二两三四五六七八九十\d]+)"
              r"(?P<unit>只|条|匹|辆|套|架|台)(?P<what>(?!叫)[\u4e00-\u9fffA-Za-z]{1,8}?)"
              r"(?:(?:名字)?叫(?P<name>[\u4e00-\u9fffA-Za-z]{1,8}?))?"),
        "有{count}{unit}{what}", category="personal",
        edges=(_edge("OWNS", "ENTITY", "what"),),
    ),
    Pattern(
        _form(r"(?:和|跟|与)(?P<name>[\u4e00-\u9fffA-Z][\u4e00-\u9fffa-z]{1,4}?)(?:结婚|订婚)"),
        "和{name}结婚", importance=8, category="relationship", slot="partner",
        edges=(_edge("CUSTOM", "PERSON", "name", custom="married_to"),),
    ),
)  # fmt: skip

# "我妹妹叫小红", "我的老板是王伟": a relative who has a name.
KINSHIP = re.compile(
    r"我们?的?(?P<kin>妈妈|母亲|爸爸|父亲|姐姐|妹妹|哥哥|弟弟|老公|丈夫|老婆|妻子|爱人|女朋友|男朋友|"
    r"儿子|女儿|爷爷|奶奶|外公|外婆|叔叔|阿姨|舅舅|姑姑|表[哥弟姐妹]|堂[哥弟姐妹]|朋友|同事|老板|"
    r"经理|室友|邻居|老师|同学|狗|猫)(?:的名字)?(?:名?叫做?|名字是)"
    r"(?P<name>[\u4e00-\u9fff·]{2,4}|[A-Z][a-z]+)(?=$|[，。！,.!；]|在|是|住)"
)
PARTNERS = frozenset(["老公", "丈夫", "老婆", "妻子", "爱人", "女朋友", "男朋友"])
COLLEAGUES = frozenset({"同事"})
FRIENDS = frozenset({"朋友"})
PETS = frozenset({"狗", "猫"})
BIRTHDAY = re.compile(r"我的?生日(?:是|在)(?P<day>(?:\d{1,2}|[一二三四五六七八九十]{1,3})月"
                      r"(?:\d{1,2}|[一二三四五六七八九十]{1,3})[日号])")  # fmt: skip
