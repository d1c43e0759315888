"""No text within the contract's limits holds anybody up: what reads user text is linear.

The texts are so long that a pattern whose time grows with the square of a text's length would
need many minutes for one of them; the bounds are many times what is needed.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from mnema.v1 import recall_service_pb2 as recall_pb
from services.files.text.chunks import split_chunks
from services.files.text.document import ExtractedText, FileType, Page
from services.graph.mentions import mentions, names_the_user
from services.ingest.extraction.local.chinese.times import chinese_time
from services.ingest.extraction.local.extractor import read
from services.ingest.extraction.local.times import find_time
from services.ingest.extraction.model import ConversationBatch, SourceMessage
from services.recall.prompting import add_context
from services.recall.scoring import Fact, GraphBoost
from services.reflect.analytics.names import Name
from services.runtime import limits
from services.storage.relations import node_id_of
from services.text.terms import analyze
from services.text.tokens import most_tokens
from services.text.traits import traits_of
from services.text.units import units_of
from services.vector.ranking.naming import in_first_person
from services.vector.ranking.question import read_question

LONGEST = 400_000
"""Characters: a message's content."""
LONG = 40_000
"""More than a query's 8,192 or a memory's 16,384."""
SECONDS = 30
"""Of processor time for all that is done with one text; 0.1 to 2 are needed."""

UNITS = {
    "digits": "1",
    "letters": "a",
    "capitals": "A",
    "spaces": " ",
    "a gap": "a" + " " * 390 + "b. ",
    "lines": "\n",
    "blank lines": " \n",
    "dots": ".",
    "commas": ",",
    "quotes": '"',
    "quotations": "“a” ",
    "apostrophes": "'",
    "contractions": "a'",
    "hyphens": "a-",
    "dashes": " - ",
    "underscores": "_",
    "brackets": "[",
    "nested brackets": "([{",
    "stages": "[a]",
    "code": "```",
    "tags": "<",
    "Chinese": "我",
    "Chinese words": "我在住的",
    "Chinese sentences": "我在。",
    "years": "1年",
    "Korean": "한",
    "Thai": "ก",
    "marks": "\u0301\u0323",
    "marked": "e\u0301\u0323",
    "joined": "a\u200d",
    "emoji": "😀",
    "I am": "I am ",
    "short sentences": "I am so. ",
    "initials": "A. ",
    "names": "Ann Bell ",
    "relatives": "my older sister ",
    "numbers": "1 ",
    "on": "on 1 ",
    "thousands": "1,111,",
    "decimals": "1.",
    "ordinals": "1st ",
    "months": "may ",
    "dates": "1 may ",
    "and": "and ",
    "likes": "I like a and b, ",
    "said": "said that ",
    "feelings": "i feel sad ",
    "degrees": "been so ",
    "Chinese degrees": "很不",
}


def _read(text: str) -> None:
    said = SourceMessage(uuid4(), 1, "user", "Ann", text, NOW)
    read(ConversationBatch("alice", "s", (said,)))


def _tell(text: str) -> None:
    hit = recall_pb.MergedResult(content=text)
    add_context(recall_pb.RecallResponse(merged=[hit]), {"likes": text}, 131_072)


def _boost(text: str) -> None:
    GraphBoost([Fact("Ann", "KNOWS", "A", text, 1.0)], frozenset(["ann", "know"]))(text)


NOW = datetime(2023, 5, 8, 13, 56, tzinfo=UTC)
OF_MESSAGES: tuple[Callable[[str], object], ...] = (units_of, traits_of)
EVERYTHING: tuple[Callable[[str], object], ...] = (
    _read,
    _tell,
    _boost,
    analyze,
    most_tokens,
    mentions,
    names_the_user,
    node_id_of,
    lambda text: read_question(text, None, NOW),
    lambda text: in_first_person(text, ["Ada Lovelace", "user"]),
    lambda text: find_time(text, NOW, UTC),
    lambda text: chinese_time(text, NOW, UTC),
    lambda text: Name.of("Ada Lovelace").is_in(text),
    lambda text: split_chunks(ExtractedText(FileType.TXT, "text/plain", (Page(None, text),))),
)


def test_the_longest_text_is_a_messages() -> None:
    assert limits.BY_NAME["content"] == limits.Text(LONGEST)
    for shorter in (limits.BY_NAME["query"], limits.BY_FULL_NAME["mnema.v1.Memory.content"]):
        assert isinstance(shorter, limits.Text)
        assert shorter.maximum < LONG


@pytest.mark.parametrize("unit", UNITS)
def test_a_hostile_text_takes_linear_time(unit: str) -> None:
    text = (UNITS[unit] * LONGEST)[:LONGEST]
    began = time.process_time()
    for work in OF_MESSAGES:
        work(text)
    for work in EVERYTHING:
        work(text[:LONG])
    assert time.process_time() - began < SECONDS


@pytest.mark.parametrize("unit", ["a gap", "initials", "degrees", "Chinese sentences"])
def test_the_longest_message_is_read(unit: str) -> None:
    began = time.process_time()
    _read((UNITS[unit] * LONGEST)[:LONGEST])
    assert time.process_time() - began < SECONDS
