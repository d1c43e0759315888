"""Users' data in files: our own exports, and those of other systems, by the command line."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from mnema.client import Mnema, NotFound
from services.app.cli import app
from services.app.transfer.foreign import ForeignFile
from services.app.transfer.mem0 import read_mem0
from tests.e2e.gateway import Gateway

pytestmark = pytest.mark.feature("X12")
Run = Callable[..., Result]

LONG_AGO = "2024-03-01T09:00:00+00:00"
LATER = "2024-06-01T09:00:00+00:00"


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[Mnema]:
    with Mnema(gateway.address, api_key=gateway.tenant.api_key) as nm:
        yield nm


@pytest.fixture
def run(gateway: Gateway) -> Run:
    def run(*arguments: object, key: str = gateway.tenant.api_key) -> Result:
        environment = {"MNEMA_ADDRESS": gateway.address, "MNEMA_API_KEY": key, "COLUMNS": "200"}
        return CliRunner().invoke(app, [str(each) for each in arguments], env=environment)

    return run


def written(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value, indent=2))
    return path


@pytest.mark.feature("N16")
def test_an_export_of_our_own(run: Run, client: Mnema, user_id: str, tmp_path: Path) -> None:
    client.add_memory(user_id, "Ada keeps bees.")
    client.files.upload(user_id, "bees.txt", b"Bees need water.")
    file = tmp_path / "ada.jsonl"
    exported = run("export", user_id, file)
    assert exported.exit_code == 0, exported.output
    assert "ada.jsonl" in exported.output
    other = f"{user_id}-other"
    imported = run("import", file, "--user", other)
    assert imported.exit_code == 0, imported.output
    assert "1 memories" in imported.output
    (kept,) = client.files.list(other)
    assert client.files.download(other, kept.id) == b"Bees need water."
    again = run("import", file, "--user", other)
    assert again.exit_code == 1
    assert "already" in again.output


def neuromem_data() -> dict[str, Any]:
    """As neuromem's export_user_data() gives it."""
    return {
        "memories": [
            {
                "id": str(uuid4()),
                "content": "Works at Google as an engineer",
                "memory_type": "fact",
                "metadata": {
                    "importance": 8,
                    "emotion": {"valence": 0.5, "arousal": 0.3, "label": "proud"},
                    "team": "Maps",
                },
                "created_at": LONG_AGO,
                "valid_from": LONG_AGO,
                "valid_until": None,
                "access_count": 3,
                "last_accessed_at": LATER,
            },
            {
                "id": 7,
                "content": "Lives in Berlin",
                "memory_type": "fact",
                "created_at": LONG_AGO,
                "valid_until": LATER,
            },
            {"id": 8, "content": "Curious by nature", "memory_type": "trait", "created_at": LATER},
        ],
        "conversations": [
            {
                "id": str(uuid4()),
                "session_id": "s1",
                "role": "user",
                "content": "I moved to Zurich",
            },
            {"session_id": "s1", "role": "assistant", "content": "How is it?", "created_at": LATER},
        ],
        "graph": {
            "nodes": [{"node_type": "user", "node_id": "alice", "properties": {"name": "Alice"}}],
            "edges": [
                {
                    "source_type": "user",
                    "source_id": "alice",
                    "edge_type": "works_at",
                    "target_type": "organization",
                    "target_id": "google",
                    "properties": {"confidence": 0.9},
                    "created_at": LONG_AGO,
                },
                {"subject": "alice", "relation": "admires", "object": "Grace Hopper"},
            ],
        },
        "kv": [{"namespace": "settings", "key": "theme", "value": None}],
        "profile": {
            "latest_state": "content",
            "valence_avg": 0.4,
            "arousal_avg": 0.2,
            "dominant_emotions": {"joy": 0.75},
            "source_count": 4,
        },
        "documents": [
            {"filename": "notes.txt", "content": "The garden needs rain.", "created_at": LONG_AGO},
            {"filename": "photo.jpg", "file_type": "image"},
        ],
    }


def test_an_export_of_neuromem(run: Run, client: Mnema, user_id: str, tmp_path: Path) -> None:
    file = written(tmp_path / "neuromem.json", neuromem_data())
    assert run("import", "neuromem", file).exit_code == 1  # whose is it?
    done = run("import", "neuromem", file, "--user", user_id)
    assert done.exit_code == 0, done.output
    assert "left out: 1 documents without their text" in done.output
    memories = {each.content: each for each in client.memories.list(user_id)}
    assert set(memories) == {"Works at Google as an engineer", "Curious by nature"}
    google = memories["Works at Google as an engineer"]
    assert google.created_at == datetime.fromisoformat(LONG_AGO)
    assert google.importance == 8
    assert google.emotion is not None
    assert google.emotion.label == "proud"
    felt = {name: getattr(google.emotion, name) for name in ("valence", "arousal", "label")}
    assert google.metadata == {"team": "Maps", "importance": 8, "emotion": felt}
    then = datetime(2024, 4, 1, tzinfo=UTC)
    past = {each.content for each in client.memories.list(user_id, as_of=then)}
    assert past == {"Works at Google as an engineer", "Lives in Berlin"}
    client.wait_until_extracted(user_id)  # embedded, too
    found = client.recall(user_id, "Where does she work?", include_conversations=True)
    assert [each["content"] for each in found["merged"]][:2] == [
        "Works at Google as an engineer",
        "Alice -> WORKS_AT -> google",
    ]
    messages = client.conversations.get_session_messages(user_id, "s1")
    assert [each.content for each in messages] == ["I moved to Zurich", "How is it?"]
    assert client.kv.get(user_id, "settings", "theme") is None
    assert client.kv.list(user_id, "settings") == [{"key": "theme", "value": None}]
    assert client.emotion_profile(user_id)["valence_avg"] == pytest.approx(0.4)
    assert client.files.search(user_id, "garden rain")[0]["filename"] == "notes.txt"
    exported = client.export_user_data(user_id)
    relations = {each["edge_type"]: each["custom_type"] for each in exported["graph"]["edges"]}
    assert relations == {"WORKS_AT": "", "CUSTOM": "admires"}


def mem0_memory(user_id: str | None, text: str, **fields: Any) -> dict[str, Any]:
    owner = {} if user_id is None else {"user_id": user_id}
    return {
        "id": str(uuid4()),
        "memory": text,
        **owner,
        "metadata": {"category": "food"},
        "created_at": "2024-03-01T01:00:00-08:00",
        "updated_at": None,
        **fields,
    }


@pytest.mark.parametrize("wrapper", ["list", "results", "pages", "lines"])
def test_memories_of_mem0(
    run: Run, client: Mnema, user_id: str, tmp_path: Path, wrapper: str
) -> None:
    other = f"{user_id}-other"
    memories = [
        mem0_memory(user_id, "Likes pizza", categories=["food", "likes"], updated_at=LATER),
        mem0_memory(user_id, "Is allergic to nuts", metadata=None, agent_id="chef"),
        mem0_memory(other, "Plays the cello"),
    ]
    wrapped: Any = {
        "list": memories,
        "results": {"results": memories, "relations": []},
        "pages": [{"results": memories[:1]}, {"results": memories[1:]}],
        "lines": memories,
    }[wrapper]
    file = written(tmp_path / "mem0.json", wrapped)
    if wrapper == "lines":
        file.write_text("\n".join(json.dumps(each) for each in memories))
    done = run("import", "mem0", file)
    assert done.exit_code == 0, done.output
    found = {each.content: each for each in client.memories.list(user_id)}
    assert set(found) == {"Likes pizza", "Is allergic to nuts"}
    pizza = found["Likes pizza"]
    assert pizza.id == memories[0]["id"]
    assert pizza.created_at == datetime.fromisoformat(LONG_AGO)
    assert pizza.metadata == {"category": "food"}
    assert found["Is allergic to nuts"].metadata == {"mem0": {"agent_id": "chef"}}
    assert [each.content for each in client.memories.list(other)] == ["Plays the cello"]
    merged = client.recall(user_id, "What food does she like?")["merged"]
    assert merged[0]["content"] == "Likes pizza"


def outcomes(done: Result) -> dict[str, str]:
    """What the summary says of each user."""
    rows = [line.split("  ") for line in done.output.splitlines() if line.startswith("user-")]
    return {cells[0]: next(filter(None, map(str.strip, cells[1:]))) for cells in rows}


def three_users(tmp_path: Path, user_id: str) -> tuple[Path, list[str]]:
    """A file of three users' memories, without ids of their own."""
    users = [f"{user_id}-{name}" for name in ("ann", "bob", "cem")]
    memories = [{"user_id": each, "memory": f"{each} likes tea"} for each in users]
    return written(tmp_path / "mem0.json", memories), users


def test_an_import_that_stopped_half_way_goes_on(
    run: Run, client: Mnema, user_id: str, tmp_path: Path
) -> None:
    file, (ann, bob, cem) = three_users(tmp_path, user_id)
    client.kv.set(bob, "n", "k", 1)  # somebody of that name is here already
    first = run("import", "mem0", file)
    assert first.exit_code == 1
    assert outcomes(first) == {ann: "imported", bob: "failed", cem: "imported"}
    assert "has key_values already" in first.output
    assert "1 of 3 users could not be imported" in first.output
    client.delete_user_data(bob)
    again = run("import", "mem0", file)
    assert again.exit_code == 0, again.output
    assert outcomes(again) == {ann: "already there", bob: "imported", cem: "already there"}
    for each in (ann, bob, cem):
        (memory,) = client.memories.list(each)
        assert memory.content == f"{each} likes tea"
        client.add_memory(each, "And coffee")
    last = run("import", "mem0", file)
    assert (last.exit_code, set(outcomes(last).values())) == (0, {"already there"})
    assert [len(list(client.memories.list(each))) for each in (ann, bob, cem)] == [2, 2, 2]


def test_what_was_imported_long_ago_is_known_by_its_ids(
    run: Run, client: Mnema, user_id: str, tmp_path: Path
) -> None:
    """When the answer to the request id is not kept any more."""
    file, (ann, bob, cem) = three_users(tmp_path, user_id)
    for records in read_mem0(ForeignFile.read(file), None)[:2]:
        client.import_from(records.user_id, records.lines(), request_id=str(uuid4()))
    client.delete_user_data(bob)
    client.add_memory(bob, f"{bob} likes tea")  # the same words, another memory
    done = run("import", "mem0", file)
    assert done.exit_code == 1
    assert outcomes(done) == {ann: "already there", bob: "failed", cem: "imported"}


def test_the_same_file_gives_the_same_ids(tmp_path: Path) -> None:
    file, _ = three_users(tmp_path, "user")
    copy = written(tmp_path / "copy.json", json.loads(file.read_text()))
    first, again = (read_mem0(ForeignFile.read(each), None) for each in (file, copy))
    assert [each.lines() for each in first] == [each.lines() for each in again]
    assert [each.request_id for each in first] == [each.request_id for each in again]
    ids = [record["item_id"] for each in first for _, record in each.records]
    assert len(set(ids)) == len({each.request_id for each in first}) == 3
    other = written(tmp_path / "other.json", [*json.loads(file.read_text()), {"memory": "More"}])
    changed = read_mem0(ForeignFile.read(other), "user-ann")
    assert changed[0].request_id not in {each.request_id for each in first}
    made = [changed[0].new_id() for _ in range(300)]
    assert made == sorted(made)


def test_what_ends_in_the_future_still_stands(
    run: Run, client: Mnema, user_id: str, tmp_path: Path
) -> None:
    memory = {"content": "Has a lease in Rome", "created_at": LONG_AGO, "valid_until": "2999-01-01"}
    file = written(tmp_path / "neuromem.json", {"memories": [memory]})
    done = run("import", "neuromem", file, "--user", user_id)
    assert done.exit_code == 0, done.output
    assert [each.content for each in client.memories.list(user_id)] == ["Has a lease in Rome"]


def test_what_is_wrong_with_a_file_is_named_by_its_line(
    run: Run, client: Mnema, user_id: str, tmp_path: Path
) -> None:
    good = mem0_memory(user_id, "Likes pizza")
    cases: dict[str, tuple[str, str, str]] = {
        "no user": (
            "mem0",
            json.dumps([good, mem0_memory(None, "Whose?")], indent=2),
            "memory 2 (line 13) names no user_id",
        ),
        "no text": (
            "mem0",
            json.dumps([good, {**good, "id": "x", "memory": ""}], indent=2),
            "memory 2 (line 13) has no 'memory'",
        ),
        "no time": (
            "mem0",
            json.dumps([{**good, "created_at": "yesterday"}], indent=2),
            "memory 1 (line 3): created_at is no time: 'yesterday'",
        ),
        "no JSON": ("mem0", '[\n{"memory": "a",}\n]', "line 2"),
        "no JSON Lines": ("mem0", '{"memory": "a"}\n{"memory":', "line 2"),
        "not neuromem": ("neuromem", "{}", "no neuromem export"),
        "a list that is none": ("neuromem", '{"memories": {}, "kv": 1}', "kv is no list"),
        "a role": (
            "neuromem",
            json.dumps({"conversations": [{"role": "boss", "content": "Go"}]}),
            "conversations, number 1: 'boss' is no role",
        ),
    }
    for name, (system, text, said) in cases.items():
        file = tmp_path / "wrong.json"
        file.write_text(text)
        user = () if "user_id" in said else ("--user", user_id)
        done = run("import", system, file, *user)
        assert done.exit_code == 1, (name, done.output)
        assert said in done.output.replace("\n", " "), (name, done.output)
    export = tmp_path / "cut.jsonl"
    export.write_text('{"kind": "header"}\n')
    done = run("import", export, "--user", user_id)
    assert "line 1 is no part of an export: it lacks 'format'" in done.output
    export.write_text("no JSON\n")
    assert "line 1 is no JSON" in run("import", export, "--user", user_id).output
    with pytest.raises(NotFound):
        client.export_user_data(user_id)


def test_the_help_teaches(run: Run, tmp_path: Path) -> None:
    told = run("import", "--help").output
    for part in (
        "mnema import alice.jsonl --user alice",
        "import neuromem",
        "import mem0",
        "--user",
    ):
        assert part in told
    assert "mnema export alice alice.jsonl" in run("export", "--help").output
    assert run("import", tmp_path / "nowhere.json").exit_code == 2
    assert run("import", "mem1", tmp_path).exit_code == 2
    file = written(tmp_path / "a.jsonl", {})
    assert run("import", file).exit_code == 2  # without --user
    refused = run("export", "alice", tmp_path / "x", key="mk_tenant_wrong")
    assert refused.exit_code == 1
    assert "API_KEY_INVALID" in refused.output
