"""When something happened: time phrases of Chinese, resolved against the moment of speaking.

As for English (`local.times`), a phrase names a period and what is kept is its start, as midnight
in the speaker's zone; weeks start on Monday; without a word about the future the past is meant.
"""

import re
from datetime import date, datetime, tzinfo

from dateutil.relativedelta import relativedelta

from services.ingest.extraction.local.times import Resolve, TimeMention, start_of

_DIGITS = {
    **{character: value for value, character in enumerate("零一二三四五六七八九")},
    "〇": 0, "两": 2, "几": 3,  # "a few", as in English
}  # fmt: skip
_WEEKDAYS = {character: value for value, character in enumerate("一二三四五六日")} | {"天": 6}
_NAMED_DAYS = {
    "大前天": -3, "前天": -2, "昨天": -1, "昨日": -1, "昨晚": -1, "昨夜": -1, "今天": 0, "今日": 0,
    "今晚": 0, "今早": 0, "今夜": 0, "明天": 1, "明日": 1, "明晚": 1, "明早": 1, "后天": 2,
    "大后天": 3,
}  # fmt: skip
_YEARS = {"大前年": -3, "前年": -2, "去年": -1, "今年": 0, "明年": 1, "后年": 2}
_SEASONS = {"春": 3, "夏": 6, "秋": 9, "冬": 12}
_SIDES = {"上上": -2, "上": -1, "这": 0, "本": 0, "下": 1, "下下": 2}
_UNITS = {
    "分钟": "minutes", "小时": "hours", "钟头": "hours", "天": "days", "周": "weeks",
    "星期": "weeks", "礼拜": "weeks", "月": "months", "年": "years",
}  # fmt: skip
_FUTURE = re.compile(
    r"明[天日晚早年]|后[天年]|下下?个?[月周星礼]|将|打算|准备|计划|快要|就要|要去|会去"
)
_SINCE = re.compile(r"(?:自从?|从)$")

_N = r"(?:\d{1,3}|[零〇一二三四五六七八九十两几]{1,3})"
_YEAR = r"(?P<year>(?:19|20)\d\d)年"
_NAMED_YEAR = "(?P<named>" + "|".join(sorted(_YEARS, key=len, reverse=True)) + ")"
_MONTH = rf"(?P<month>{_N})月份?"
_DAY = rf"(?P<day>{_N})[日号]"
_SIDE = "(?P<side>上上|下下|上|这|本|下)"
_WEEK = "(?:周|星期|礼拜)"


def chinese_time(text: str, said_at: datetime, zone: tzinfo) -> TimeMention | None:
    """The first phrase that can be resolved, the more exact kinds first. None without one."""
    future = _FUTURE.search(text) is not None
    for pattern, resolve in _RULES:
        for match in pattern.finditer(text):
            start = start_of(match, said_at, zone, resolve, future=future)
            if start is not None:
                since = _SINCE.search(text[: match.start()]) is not None
                return TimeMention(start, match.start(), match.end(), since, start > said_at)
    return None


def number(text: str) -> int:
    """An integer as it is written: "12", "十二", "二十", "两"."""
    if text.isdecimal():
        return int(text)
    tens, ten, ones = text.rpartition("十")
    if not ten:
        return _DIGITS[text] if len(text) == 1 else int("".join(str(_DIGITS[c]) for c in text))
    return (_DIGITS[tens] if tens else 1) * 10 + (_DIGITS[ones] if ones else 0)


def _full_date(match: re.Match[str], _now: datetime, _future: bool) -> date:
    day = match["day"]
    return date(int(match["year"]), number(match["month"]), number(day) if day else 1)


def _in_named_year(match: re.Match[str], now: datetime, _future: bool) -> date:
    year = now.year + _YEARS[match["named"]]
    if match["season"]:
        return date(year, _SEASONS[match["season"]], 1)
    month, day = match["month"], match["day"]
    return date(year, number(month) if month else 1, number(day) if day else 1)


def _calendar_day(match: re.Match[str], now: datetime, future: bool) -> date | None:
    """A day with its month; the year is the nearest on the side that is meant."""
    today = now.date()
    for year in (today.year, today.year + 1) if future else (today.year, today.year - 1):
        found = date(year, number(match["month"]), number(match["day"]))
        if found >= today if future else found <= today:
            return found
    return None


def _month_only(match: re.Match[str], now: datetime, future: bool) -> date:
    month = number(match["month"])
    if future:
        return date(now.year + (month <= now.month), month, 1)
    return date(now.year - (month > now.month), month, 1)


def _apart(match: re.Match[str], now: datetime, _future: bool) -> date | datetime:
    """ "三天前", "两个月后"."""
    count = number(match["count"]) * (1 if "后" in match["way"] else -1)
    shifted = now + relativedelta(**{_UNITS[match["unit"]]: count})  # type: ignore[arg-type]
    return shifted if _UNITS[match["unit"]] in ("minutes", "hours") else shifted.date()


def _named_day(match: re.Match[str], now: datetime, _future: bool) -> date:
    return now.date() + relativedelta(days=_NAMED_DAYS[match["name"]])


def _week(match: re.Match[str], now: datetime, _future: bool) -> date:
    """ "上周", "下星期三", "这周末"."""
    monday = now.date() + relativedelta(days=-now.weekday(), weeks=_SIDES[match["side"]])
    if match["end"]:
        return monday + relativedelta(days=5)
    return monday + relativedelta(days=_WEEKDAYS[match["weekday"]] if match["weekday"] else 0)


def _month(match: re.Match[str], now: datetime, _future: bool) -> date:
    return now.date().replace(day=1) + relativedelta(months=_SIDES[match["side"]])


def _weekday(match: re.Match[str], now: datetime, future: bool) -> date:
    ahead = (_WEEKDAYS[match["weekday"]] - now.weekday()) % 7
    return now.date() + relativedelta(days=ahead if future else ahead - 7)


def _in_year(match: re.Match[str], _now: datetime, _future: bool) -> date:
    return date(int(match["year"]), 1, 1)


_RULES: tuple[tuple[re.Pattern[str], Resolve], ...] = (
    (re.compile(r"(?P<year>(?:19|20)\d\d)-(?P<month>\d\d)-(?P<day>\d\d)(?!\d)"), _full_date),
    (re.compile(rf"{_YEAR}{_MONTH}(?:{_DAY})?"), _full_date),
    (
        re.compile(
            rf"{_NAMED_YEAR}(?:(?P<season>[春夏秋冬])[天季]|{_MONTH}(?:{_DAY})?|(?P<none>(?!\d)))"
        ),
        _in_named_year,
    ),
    (re.compile(rf"{_MONTH}{_DAY}"), _calendar_day),
    (
        re.compile(
            rf"(?P<count>{_N})个?(?:多)?(?P<unit>{'|'.join(_UNITS)})(?P<way>(?:以|之)?[前后])"
        ),
        _apart,
    ),
    (
        re.compile("(?P<name>" + "|".join(sorted(_NAMED_DAYS, key=len, reverse=True)) + ")"),
        _named_day,
    ),
    (re.compile(rf"{_SIDE}个?{_WEEK}(?:(?P<weekday>[一二三四五六日天])|(?P<end>末))?"), _week),
    (re.compile(rf"{_SIDE}个?月(?!亮)"), _month),
    (re.compile(rf"(?<![个\d一二两三四五六七八九十]){_MONTH}(?!{_N}[日号])"), _month_only),
    (re.compile(rf"(?<![每个]){_WEEK}(?P<weekday>[一二三四五六日天])"), _weekday),
    (re.compile(_YEAR), _in_year),
)
