"""Emotion of a sentence: found where it is expressed, in English and Chinese, and nowhere else."""

import subprocess
import sys

import pytest
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from services.ingest.extraction.local.emotions import emotion_of
from services.ingest.extraction.local.feeling_words import FEELINGS, QUALITIES
from services.ingest.extraction.local.sentences import sentences_of
from services.ingest.extraction.model import Emotion


def felt(text: str) -> Emotion | None:
    (sentence,) = sentences_of(text)
    return emotion_of(sentence)


EXPRESSED = [
    ("I'm so excited about the new job!", 1, "excited"),
    ("I was really sad when my dog died.", -1, "sad"),
    ("I am furious with my landlord.", -1, "furious"),
    ("I feel lonely since the move.", -1, "lonely"),
    ("I'm thrilled that we won the race!", 1, "thrilled"),
    ("I am nervous about the exam.", -1, "nervous"),
    ("I felt embarrassed in front of everybody.", -1, "embarrassed"),
    ("I'm grateful for my friends.", 1, "grateful"),
    ("That makes me happy.", 1, "happy"),
    ("I hate this terrible weather!", -1, "distressed"),
    ("I love this wonderful city.", 1, "joyful"),
    ("We were terrified during the storm.", -1, "terrified"),
    ("I am not happy with the result.", -1, "unhappy"),
    ("I'm worried about my mother.", -1, "worried"),
    ("I was disappointed by the film.", -1, "disappointed"),
    ("I feel calm at the sea.", 1, "calm"),
    ("I'm proud of my daughter.", 1, "proud"),
    ("I'm stressed and tired.", -1, "stressed"),
    ("The concert was absolutely amazing!!!", 1, "joyful"),
    ("I miss her terribly, it hurts so much.", -1, "unhappy"),
    ("I'm exhausted.", -1, "exhausted"),
    ("The meeting left me frustrated.", -1, "frustrated"),
    ("Had interview yesterday, felt nervous", -1, "nervous"),
    ("Feeling lonely since the move.", -1, "lonely"),
    ("Met my boss, felt nervous.", -1, "nervous"),
    ("I went there feeling nervous.", -1, "nervous"),
    ("I was very anxious yesterday.", -1, "anxious"),
    ("I'm pretty nervous.", -1, "nervous"),
    ("I get anxious easily but I'm excited about tech.", 1, "excited"),
    ("I'm easily the best of them.", 1, "joyful"),
    ("I'm sure this is a wonderful place.", 1, "pleased"),
    ("I was sick and worried.", -1, "worried"),
    ("I was really, really sad.", -1, "sad"),
    ("My wife and I are excited about Rome.", 1, "excited"),
    ("I'd been terrified all day.", -1, "terrified"),
    ("My boss was angry but I was happy.", 1, "happy"),
    ("My boss was angry but the party was wonderful!", 1, "joyful"),
    ("It was so sad to leave.", -1, "distressed"),
    ("Felt great today.", 1, "joyful"),
    ("说到面试时很紧张", -1, "afraid"),
    ("最近工作压力很大，心情低落。", -1, "sad"),
    ("昨晚有点焦虑。", -1, "displeased"),
    ("我对老板很生气。", -1, "displeased"),
    ("我和老板吵架后很难过。", -1, "sad"),
    ("昨天老师让我很尴尬。", -1, "displeased"),
    ("听说你要来，我很高兴。", 1, "joyful"),
    ("我今天特别开心！", 1, "joyful"),
    ("我很难过，因为奶奶去世了。", -1, "sad"),
    ("我好生气，他又迟到了。", -1, "displeased"),
    ("我有点害怕明天的面试。", -1, "afraid"),
    ("我不开心。", -1, "unhappy"),
    ("他的话让我非常惊讶。", -1, "surprised"),
    ("我感到孤独。", -1, "sad"),
    ("我讨厌下雨天。", -1, "displeased"),
    ("我觉得很幸福。", 1, "joyful"),
    ("我对结果很失望。", -1, "sad"),
    ("我今天 so happy!", 1, "joyful"),
]
NEUTRAL = [
    "I live in Berlin.",
    "I work as a nurse at a hospital.",
    "The train leaves at seven.",
    "My sister studies chemistry.",
    "I bought a table yesterday.",
    "We moved to Oslo in May.",
    "I have two cats.",
    "The report has forty pages.",
    "I take the bus to the office.",
    "My phone number changed.",
    "He was born in 1990.",
    "I need to call the bank on Monday.",
    "The shop closes at six.",
    "I speak Spanish and German.",
    "The meeting is in room four.",
    "I went to the library.",
    "My brother is a teacher.",
    "I am 34 years old.",
    "I read a book about maps.",
    "The window is open.",
    "I use Python at work.",
    "My birthday is on the third of June.",
    "我住在上海。",
    "我在腾讯工作。",
    "会议在星期三下午三点。",
    "我昨天去了超市。",
    "我的妹妹叫小红。",
    "我把文件发给了老板。",
    "我买了一辆新车。",
    "我三十四岁。",
    "火车七点出发。",
    "我每天坐地铁上班。",
    "我们五月搬到了北京。",
    "他是一名老师。",
]

# Named, but not what the speaker feels: another's, supposed, denied, asked, quoted.
NOT_FELT = [
    "My boss was angry yesterday.",
    "My friend felt sad yesterday.",
    "My boss came home, felt nervous.",
    "My boss came in feeling angry.",
    "Anna was so happy yesterday.",
    "I met Tom and Priya was terrified.",
    "I saw a dog that was angry.",
    "It made her so angry.",
    "He said he was terrified.",
    "He said I was angry yesterday.",
    'She said "I am so happy" yesterday.',
    'She said "I am so happy.',
    "Are you nervous?",
    "Am I happy?",
    "I wasn't nervous yesterday.",
    "I was not terrified at all.",
    "I never get angry.",
    "I would be happy if it rained.",
    "I'd be so happy to move.",
    "If I were happy, I would sing.",
    "I wish I were happy.",
    "I want to be happy.",
    "I'll be happy when it is over.",
    "I used to be so anxious.",
    "That would make me happy.",
    "You must be so proud.",
    "Don't be sad!",
    "我老板很生气。",
    "老板昨天开会时很生气。",
    "小明昨天很难过。",
    "王伟昨天很开心。",
    "他说我很生气。",
    "他昨天说到面试时很紧张。",
    "“我很开心。",
    "你紧张吗？",
    "我一点也不紧张。",
    "如果我去了，我会很开心。",
    "我会很开心的。",
    "别难过了。",
]


@pytest.mark.parametrize(("text", "sign", "label"), EXPRESSED)
def test_what_is_expressed_is_found(text: str, sign: int, label: str) -> None:
    emotion = felt(text)
    assert emotion is not None
    assert emotion.valence * sign > 0
    assert -1 <= emotion.valence <= 1
    assert 0 < emotion.arousal <= 1
    assert emotion.label == label


@pytest.mark.parametrize("text", NEUTRAL)
def test_what_is_only_told_has_no_emotion(text: str) -> None:
    assert felt(text) is None


@pytest.mark.parametrize("text", NOT_FELT)
def test_what_the_speaker_does_not_feel_is_no_emotion(text: str) -> None:
    assert felt(text) is None


def test_what_names_a_feeling_is_rated() -> None:
    rated = SentimentIntensityAnalyzer().lexicon
    assert {word for word in FEELINGS | QUALITIES if abs(rated.get(word, 0.0)) < 0.9} == set()
    assert {word for word in FEELINGS if word.endswith("ly")} == {"lonely", "melancholy"}


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [
        ("I'm happy.", "I'm so happy."),
        ("I'm happy.", "I'm happy!!!"),
        ("I feel calm.", "I feel terrified."),
        ("I'm bored.", "I'm furious."),
        ("我难过。", "我非常难过。"),
    ],
)
def test_arousal_rises_with_the_intensity(weaker: str, stronger: str) -> None:
    low, high = felt(weaker), felt(stronger)
    assert low is not None
    assert high is not None
    assert low.arousal < high.arousal


def test_negation_turns_the_valence_round() -> None:
    happy, unhappy = felt("I am happy with it."), felt("I am not happy with it.")
    assert happy is not None
    assert unhappy is not None
    assert happy.valence > 0 > unhappy.valence
    assert felt("我不害怕。") is None


def test_who_sees_no_chinese_loads_none_of_it() -> None:
    script = (
        "import sys; from services.ingest.extraction.local.emotions import emotion_of;"
        "from services.ingest.extraction.local.sentences import sentences_of;"
        "emotion_of(sentences_of(\"I'm happy.\")[0]); print('jieba' in sys.modules);"
        "emotion_of(sentences_of('我很高兴。')[0]); print('jieba' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["False", "True"]
