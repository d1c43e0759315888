"""Memories without a conversation, through the Python client: add, read, list, correct, delete."""

from collections.abc import Iterator

import pytest

from mnema.client import Mnema, NotFound
from services.app.local_stack import LocalStack

pytestmark = pytest.mark.feature("N21")


@pytest.fixture(scope="module")
def nm(stack: LocalStack) -> Iterator[Mnema]:
    with Mnema(stack.address, api_key=stack.api_key) as client:
        yield client


def test_a_memory_from_its_first_word_to_its_last(nm: Mnema, user_id: str) -> None:
    added = nm.add_memory(
        user_id, "Prefers tea to coffee", "preference", {"from": "form"}, tags=["x"]
    )
    assert (added.memory_type, added.metadata, added.revision) == (
        "preference",
        {"from": "form"},
        1,
    )
    assert nm.memories.get(user_id, added.id) == added
    corrected = nm.memories.update(user_id, added.id, "Prefers coffee to tea", importance=7)
    assert (corrected.id, corrected.revision, corrected.importance) == (added.id, 2, 7)
    assert corrected.tags == ("x",)
    past = nm.memories.get(user_id, added.id, as_of=added.created_at)
    assert past.content == "Prefers tea to coffee"
    (found, *_) = nm.search(user_id, "What does she like to drink?")
    assert (found["id"], found["content"]) == (added.id, "Prefers coffee to tea")
    history = nm.memories.revisions(user_id, added.id)
    assert [each.content for each in history] == ["Prefers tea to coffee", "Prefers coffee to tea"]
    assert nm.memories.delete(user_id, added.id) is True
    assert nm.memories.delete(user_id, added.id) is False
    assert nm.memories.list(user_id) == []
    assert nm.search(user_id, "What does she like to drink?") == []
    assert nm.memories.get(user_id, added.id).retracted_at is not None
    with pytest.raises(NotFound):
        nm.memories.get(f"not-{user_id}", added.id)


@pytest.mark.feature("N09")
@pytest.mark.feature("X06")
def test_that_it_was_said_again_is_not_known_before(nm: Mnema, user_id: str) -> None:
    """Its importance, its evidence and its recency are those of the moment that is asked for."""
    first = nm.ingest(user_id, "user", "I live in Zurich.", "spring")
    nm.wait_until_extracted(user_id)
    (told,) = nm.memories.list(user_id)
    then = nm.memories.get(user_id, told.id)
    assert then.source_message_ids == (first.id,)
    again = nm.ingest(user_id, "user", "I live in Zurich.", "autumn")
    nm.wait_until_extracted(user_id)
    nm.add_memory(user_id, told.content, told.memory_type, importance=10)
    now = nm.memories.get(user_id, told.id)
    assert (now.importance, now.source_message_ids) == (10, (first.id, again.id))
    before, after = then.last_refreshed_at, now.last_refreshed_at
    assert before is not None
    assert after is not None
    assert before < after
    assert nm.memories.get(user_id, told.id, as_of=before) == then
    assert nm.memories.list(user_id, as_of=before) == [then]
    (hit,) = nm.recall(user_id, "Zurich", as_of=before)["vector_results"]
    assert (hit["id"], hit["source_message_ids"]) == (told.id, [first.id])
    assert hit["metadata"]["importance"] == then.importance
    # It can be taken back as well, and that can be undone.
    done = nm.rollback_memories(user_id, before)
    assert (done["memories_retracted"], done["memories_restored"]) == (1, 1)
    back = nm.memories.get(user_id, told.id)
    assert (back.importance, back.source_message_ids) == (then.importance, (first.id,))
    assert back.last_refreshed_at == before
    assert nm.memories.get(user_id, told.id, as_of=after) == now
    nm.undo_rollback(user_id, done["rollback_id"])
    again_now = nm.memories.get(user_id, told.id)
    assert (again_now.importance, again_now.source_message_ids) == (10, (first.id, again.id))


def test_lists_by_type_tags_category_and_text(nm: Mnema, user_id: str) -> None:
    nm.add_memory(user_id, "Likes 80% cacao", "fact", tags=["food", "sweet"])
    nm.add_memory(user_id, "Bake a cake", "todo", tags=["food"])
    nm.ingest(user_id, "user", "I work at Harbour Labs.")
    nm.wait_until_extracted(user_id)

    def listed(**filters: object) -> list[str]:
        return [each.content for each in nm.memories.list(user_id, **filters)]  # type: ignore[arg-type]

    assert len(listed()) == 3
    assert listed(memory_type="todo") == ["Bake a cake"]
    assert listed(tags="food") == ["Bake a cake", "Likes 80% cacao"]
    assert listed(tags=["food", "sweet"]) == ["Likes 80% cacao"]
    assert listed(text="80% CACAO") == ["Likes 80% cacao"]
    assert listed(text="ca", memory_type=["fact", "todo"], tags="sweet") == ["Likes 80% cacao"]
    (work,) = nm.memories.list(user_id, text="harbour labs")
    assert work.category
    assert [each.id for each in nm.memories.list(user_id, category=work.category)] == [work.id]
    assert listed(category="no-such") == listed(text="no such") == []
