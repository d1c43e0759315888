"""Chinese by rules: what is found, when it was, and above all what is not found."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.ingest.extraction.local.chinese.times import chinese_time, number
from services.ingest.extraction.local.extractor import read
from tests.unit.extraction_by_rules import SAID_AT, batch, extract, facts, message, triples


@pytest.mark.parametrize(
    ("text", "relation", "name", "content"),
    [
        ("我住在上海", "LIVES_IN", "上海", "住在上海。"),
        ("我现在住在上海浦东。", "LIVES_IN", "上海浦东", "住在上海浦东。"),
        ("我家在成都。", "LIVES_IN", "成都", "住在成都。"),
        ("我们上个月搬到了北京！", "LIVES_IN", "北京", "搬到北京。"),
        ("去年我搬到深圳了。", "LIVES_IN", "深圳", "搬到深圳。"),
        ("我出生在湖南。", "BORN_IN", "湖南", "出生在湖南。"),
        ("我来自广东", "from", "广东", "来自广东。"),
        ("我在腾讯工作。", "WORKS_AT", "腾讯", "在腾讯工作。"),
        ("我在 Google 工作", "WORKS_AT", "Google", "在Google工作。"),
        ("其实我目前在阿里巴巴上班", "WORKS_AT", "阿里巴巴", "在阿里巴巴工作。"),
        ("我在华为当工程师。", "WORKS_AT", "华为", "在华为当工程师。"),
        ("我刚加入了字节跳动", "WORKS_AT", "字节跳动", "在字节跳动工作。"),
        ("我毕业于清华大学。", "STUDIED_AT", "清华大学", "就读于清华大学。"),
        ("我在北京大学读书", "STUDIED_AT", "北京大学", "就读于北京大学。"),
        ("我会说法语。", "SPEAKS", "法语", "会说法语。"),
        ("我会弹钢琴", "HAS_SKILL", "钢琴", "会弹钢琴。"),
        ("我对花生过敏。", "allergic_to", "花生", "对花生过敏。"),
        ("我很喜欢火锅。", "likes", "火锅", "喜欢火锅。"),
        ("我爱吃辣的。", "likes", "吃辣", "喜欢吃辣。"),
        ("我不喜欢下雨天。", "dislikes", "下雨天", "不喜欢下雨天。"),
        ("我讨厌香菜", "dislikes", "香菜", "不喜欢香菜。"),
        ("我对摄影很感兴趣。", "interested_in", "摄影", "对摄影感兴趣。"),
        ("我养了一只猫。", "OWNS", "猫", "有一只猫。"),
        ("我妹妹叫小红。", "妹妹", "小红", "妹妹叫小红。"),
        ("我和李明结婚了。", "married_to", "李明", "和李明结婚。"),
        ("我是上海人。", "from", "上海", "是上海人。"),
        ("我的狗叫旺财。", "OWNS", "旺财", "狗叫旺财。"),
        ("我不喝咖啡。", "avoids", "咖啡", "不喝咖啡。"),
        ("我最喜欢的颜色是蓝色。", "likes", "蓝色", "最喜欢的颜色是蓝色。"),
        ("我喜欢和朋友一起爬山。", "likes", "和朋友一起爬山", "喜欢和朋友一起爬山。"),
        ("I live in 上海.", "LIVES_IN", "上海", "Lives in 上海."),
        ("I work at 腾讯.", "WORKS_AT", "腾讯", "Works at 腾讯."),
        ("我去年去云南旅游了。", "VISITED", "云南", "去云南旅行。"),
    ],
)
def test_what_is_said_of_oneself(text: str, relation: str, name: str, content: str) -> None:
    found = extract(text)
    assert ("alice", relation, name, False) in triples(found)
    assert content in [each.content for each in found.memories]


@pytest.mark.parametrize(
    ("text", "relation", "name"),
    [
        ("我以前住在南京。", "LIVES_IN", "南京"),
        ("我不住在南京了。", "LIVES_IN", "南京"),
        ("我从杭州搬到了苏州。", "LIVES_IN", "杭州"),
        ("我不在百度工作了。", "WORKS_AT", "百度"),
        ("我上周从百度离职了", "WORKS_AT", "百度"),
        ("我以前在京东工作。", "WORKS_AT", "京东"),
        ("我以前喜欢抽烟。", "likes", "抽烟"),
        ("我不再喜欢跑步了。", "likes", "跑步"),
    ],
)
def test_what_is_over_is_ended(text: str, relation: str, name: str) -> None:
    assert ("alice", relation, name, True) in triples(extract(text))


@pytest.mark.parametrize(
    "text",
    [
        "你住在上海吗？",
        "我住在哪里？",
        "如果我住在上海，我会很开心。",
        "我想住在上海。",
        "我打算搬到北京。",
        "我可能会搬到北京。",
        "他说我住在上海。",
        "他住在上海。",
        "我朋友在腾讯工作。",
        "我听说他在腾讯工作。",
        "我不住在上海吧？",
        "我住在一个小村子里。",
        "我在家工作。",
        "我希望在谷歌工作。",
        "要是我在北京大学读书就好了。",
        "妈妈问我喜不喜欢火锅",
        "我以为我对花生过敏",
        "你喜欢什么？",
        "“我住在上海。”这是书里的话。",
        "我在上海工作。",
        "我喜欢你。",
        "我喜欢这个想法。",
        "我喜欢昨天的电影。",
        "我叫他明天来。",
        "我住在上海的时候认识了她。",
        "我是好人。",
        "我喜欢的人住在上海。",
        "我同事王伟喜欢打篮球。",
        "我在家里工作。",
        "我妈妈住在杭州。",
    ],
)
def test_what_is_asked_supposed_or_of_others_is_no_fact(text: str) -> None:
    found = extract(text)
    assert triples(found) == set()
    assert found.profile_updates == ()
    assert facts(found) == {}


def test_slots_are_shared_by_the_languages() -> None:
    english, chinese = extract("I live in Berlin."), extract("我搬到上海了。")
    assert facts(english)["Lives in Berlin."] == facts(chinese)["搬到上海。"] == "alice/location"
    (update,) = chinese.profile_updates
    assert (update.key, update.value, update.mode) == ("location", "上海", "set")


def test_a_clause_without_subject_goes_on() -> None:
    found = extract("我住在上海，在腾讯工作，喜欢喝茶和跑步。")
    assert list(facts(found)) == ["住在上海。", "在腾讯工作。", "喜欢喝茶和跑步。"]
    assert {("alice", "likes", "喝茶", False), ("alice", "likes", "跑步", False)} <= triples(found)


def test_a_named_speaker_stands_in_the_sentence() -> None:
    found = extract("我住在上海。我妹妹叫小红。", speaker="小明")
    assert list(facts(found)) == ["小明住在上海。", "小明的妹妹叫小红。"]
    assert {each.slot for each in found.memories} == {"小明/location", None}


def test_mixed_sentences() -> None:
    assert ("alice", "WORKS_AT", "Morgan Stanley", False) in triples(
        extract("我在 Morgan Stanley 工作。")
    )
    both = extract("I work at Google. 我住在上海。")
    assert list(facts(both)) == ["Works at Google.", "住在上海。"]
    assert list(facts(extract("我最近在学 machine learning，我喜欢 Python。"))) == ["喜欢Python。"]


def test_what_else_a_sentence_tells_is_kept_beside_its_facts() -> None:
    found = extract("我住在上海，昨天和同事一起去看了一场很长的电影。")
    kinds = {each.memory_type: each for each in found.memories}
    assert kinds["fact"].content == "住在上海。"
    assert kinds["episodic"].content == "我住在上海，昨天和同事一起去看了一场很长的电影。"
    assert kinds["episodic"].event_at == datetime(2023, 5, 7, tzinfo=UTC)
    assert kinds["fact"].event_at is None


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("说到面试时很紧张", "afraid"),
        ("最近工作压力很大，心情低落。", "sad"),
        ("昨天很紧张。", "afraid"),
        ("周末很开心，去爬山了。", "joyful"),
        ("小时候曾经很孤独。", "sad"),
        ("今天压力太大了。", "distressed"),
        ("心情不好，什么都不想做。", "displeased"),
    ],
)
def test_a_feeling_without_a_subject_is_the_speakers(text: str, label: str) -> None:
    (memory,) = extract(text).memories
    assert (memory.memory_type, memory.content) == ("episodic", text)
    assert memory.emotion is not None
    assert memory.emotion.label == label


def test_a_feeling_is_kept_beside_a_fact() -> None:
    found = extract("我住在上海，昨天很紧张。")
    assert [each.memory_type for each in found.memories] == ["fact", "episodic"]


@pytest.mark.parametrize(
    "text",
    ["很紧张。", "他很难过。", "面试的时候一点也不紧张", "要是能去就很开心了", "很高兴认识你",
     "希望你开心", "工作压力大的人很多", "他们说到面试时很紧张", "面试的时候紧张吗"],
)  # fmt: skip
def test_what_the_speaker_does_not_feel_is_not_kept(text: str) -> None:
    assert extract(text).memories == ()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("请用中文回答。", "instruction"),
        ("以后叫我小王。", "instruction"),
        ("提醒我明天买牛奶。", "todo"),
        ("我们决定买这套房子了。", "decision"),
    ],
)
def test_instructions_tasks_and_decisions(text: str, kind: str) -> None:
    assert kind in {each.memory_type for each in extract(text).memories}


def test_work_without_a_name() -> None:
    assert facts(extract("我在一家互联网公司做产品经理。")) == {
        "在一家互联网公司当产品经理。": "alice/occupation"
    }
    assert facts(extract("我在上海的一家银行工作。")) == {
        "在上海的一家银行工作。": "alice/employer"
    }
    assert facts(extract("我是软件工程师。")) == {"是软件工程师。": "alice/occupation"}


def test_names_ages_and_birthdays() -> None:
    found = extract("我叫王小明。我今年32岁。我的生日是五月三日。")
    slots = {slot: content for content, slot in facts(found).items()}
    assert slots == {
        "alice/name": "名叫王小明。",
        "alice/age": "32岁。",
        "alice/birthday": "生日是五月三日。",
    }
    assert ("identity", "王小明") in {(each.key, each.value) for each in found.profile_updates}


@pytest.mark.parametrize(
    ("text", "expected"),
    [  # said on Monday, 8 May 2023
        ("昨天", "2023-05-07"),
        ("前天", "2023-05-06"),
        ("大前天", "2023-05-05"),
        ("今天", "2023-05-08"),
        ("明天", "2023-05-09"),
        ("后天", "2023-05-10"),
        ("昨晚", "2023-05-07"),
        ("上周", "2023-05-01"),
        ("上个星期三", "2023-05-03"),
        ("下周五", "2023-05-19"),
        ("这周末", "2023-05-13"),
        ("上上周", "2023-04-24"),
        ("上个月", "2023-04-01"),
        ("下个月", "2023-06-01"),
        ("去年", "2022-01-01"),
        ("前年", "2021-01-01"),
        ("去年夏天", "2022-06-01"),
        ("去年十二月", "2022-12-01"),
        ("今年三月五日", "2023-03-05"),
        ("2021年3月", "2021-03-01"),
        ("2021年3月15号", "2021-03-15"),
        ("2019年", "2019-01-01"),
        ("三月", "2023-03-01"),
        ("十月", "2022-10-01"),
        ("五月二十日", "2022-05-20"),
        ("三天前", "2023-05-05"),
        ("两个月前", "2023-03-08"),
        ("十年前", "2013-05-08"),
        ("两周以后", "2023-05-22"),
        ("星期五", "2023-05-05"),
        ("2023-05-02", "2023-05-02"),
    ],
)
def test_time_phrases(text: str, expected: str) -> None:
    (memory,) = extract(f"我{text}去医院看了奶奶的病。").memories
    assert memory.event_at is not None
    assert memory.event_at.date().isoformat() == expected


def test_what_is_no_time_gives_none() -> None:
    shanghai = ZoneInfo("Asia/Shanghai")
    for text in ("我有三个月饼", "二月三十一日", "每个星期五", "月亮很大", "我一天吃两顿", "13月"):
        assert chinese_time(text, SAID_AT, shanghai) is None, text
    late = datetime(2023, 5, 8, 17, 0, tzinfo=UTC)  # already the ninth in Shanghai
    found = chinese_time("昨天", late, shanghai)
    assert found is not None
    assert found.start == datetime(2023, 5, 8, tzinfo=shanghai)
    ago = chinese_time("两个小时前", late, shanghai)
    assert ago is not None
    assert ago.start == late - timedelta(hours=2)


def test_since_and_until_bound_the_relation() -> None:
    found = read(batch(message("我从2019年在腾讯工作。"), message("我2022年从百度离职了。")))
    bounds = {each.object.name: (each.valid_from, each.valid_to) for each in found.triples}
    assert bounds["腾讯"] == (datetime(2019, 1, 1, tzinfo=UTC), None)
    assert bounds["百度"] == (None, datetime(2022, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "value"), [("7", 7), ("十", 10), ("十二", 12), ("二十", 20), ("三十一", 31), ("两", 2)]
)
def test_numbers(text: str, value: int) -> None:
    assert number(text) == value
