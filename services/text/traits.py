"""What a text is like, as bit flags that the search index keeps: signals of ranking read them."""

import regex

ASKS = 1
"""Ends with a question mark: who looks for an answer rarely wants the question."""

NAMES_TIME = 2
"""Says when: a weekday, a month, "yesterday", "two weeks ago", "2019"."""

BY_ASSISTANT = 4
"""Written by a model or a tool, not by a person. Set by who knows the role, not by the text."""

TELLS = 8
"""Tells of what who says it did: "I just went", "we finally bought"."""

_QUESTION_MARKS = ("?", "？", "؟")
_QUOTES_AND_SPACE = " \t\r\n\"'”’)]"
_MONTHS = (
    r"jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
_PERIODS = (
    r"day|night|morning|afternoon|evening|week|weekend|fortnight|month|year"
    r"|summer|winter|spring|fall|autumn"
)
_WEEKDAYS = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
# Many digits are read once: what has no edge before it is tried at each of them.
_TIME = regex.compile(
    rf"""\b(?:
        yesterday | today | tonight | tomorrow | ago | recently
      | (?:last|next|this)\ (?:{_PERIODS}|{_WEEKDAYS})
      | (?:since|in)\ (?:19|20)\d\d
      | (?:two|three|four|few|couple\ of|\d+)\ (?:{_PERIODS})s
      | {_WEEKDAYS}
      | {_MONTHS.replace("|may|", "|")}
      | \d+(?:st|nd|rd|th)
      )\b
      | 昨天|今天|明天|前天|上周|上個?月|去年|今年|明年|星期|\d[年月日]
    """,
    regex.VERBOSE | regex.IGNORECASE,
)


_DOINGS = regex.compile(
    r"""\b(?:i|we)\ (?:(?:just|recently|finally|also|already|once)\ )?
    (?:\w+ed|went|got|took|made|had|did|met|saw|won|bought|found|gave|began|ran|wrote|read
      |came|told|felt|left|kept|spent|taught|built|lost)\b
    | [我们們]{1,2}(?:刚|剛|最近|终于|終於)?[^。!?]{0,12}[了过過]""",
    regex.VERBOSE | regex.IGNORECASE,
)


def traits_of(text: str) -> int:
    """The traits of a text, a sum of flags: 0 to 32,767."""
    asks = text.rstrip(_QUOTES_AND_SPACE).endswith(_QUESTION_MARKS)
    says_when = _TIME.search(text) is not None
    tells = _DOINGS.search(text) is not None
    return ASKS * asks | NAMES_TIME * says_when | TELLS * tells
