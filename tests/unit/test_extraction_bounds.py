"""Extraction by rules bears any text: nothing breaks it, nothing holds it up."""

import time
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.extraction.local.extractor import read
from services.ingest.extraction.model import (
    EDGE_TYPES,
    MEMORY_TYPES,
    NODE_TYPES,
    ConversationBatch,
    Extraction,
    SourceMessage,
)


def extract(text: str, *, speaker: str | None = None) -> Extraction:
    said = SourceMessage(uuid4(), 1, "user", speaker, text, datetime(2023, 5, 8, 14, tzinfo=UTC))
    return read(ConversationBatch("alice", "s", (said,)))


@given(st.text(max_size=600))
@settings(max_examples=150, deadline=None)
def test_any_text_is_read(text: str) -> None:
    found = extract(text, speaker="Ann")
    for memory in found.memories:
        assert memory.content.strip()
        assert memory.memory_type in MEMORY_TYPES
        assert 1 <= memory.importance <= 10
    for triple in found.triples:
        assert triple.relation in EDGE_TYPES
        assert (triple.custom_relation is not None) == (triple.relation == "CUSTOM")
        assert {triple.subject.node_type, triple.object.node_type} <= set(NODE_TYPES)


_SALAD = (
    "I my we like and , the a to in at Google Boston sister Anna live work don't if said moved "
    'from last week May 2023 is was not . ! ? " [ ] * - favorite name'
)
_WORDS = st.sampled_from(_SALAD.split())


@given(st.lists(_WORDS, max_size=60).map(" ".join))
@settings(max_examples=200, deadline=None)
def test_any_word_salad_is_read(text: str) -> None:
    for triple in extract(text).triples:
        assert triple.object.node_id
        assert triple.content.endswith(".")


@pytest.mark.parametrize(
    "unit",
    ["a", "a ", "I ", "my ", "I like ", "and I ", "A.", "[", '"', "I love a, b and ", "My sister ",
     "I went to a ", "Anna Bell ", "last ", "5 ", "…", "'s ", "my favorite ", "-", "in May ",
     "I was really so ", "felt so happy and ", "lately just ", "and Tom lives in ",
     "我不太很", "不紧张，"],
)  # fmt: skip
def test_no_text_of_128_kilobytes_takes_long(unit: str) -> None:
    text = (unit * 131_072)[:131_072]
    started = time.process_time()
    extract(text)
    # Far above what is needed (under 1 s at worst), far below what backtracking would take.
    assert time.process_time() - started < 30
