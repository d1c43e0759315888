"""`mnema demo`: the whole of memory in a minute, on a conversation of a person's own if given."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mnema.client import AsyncMnema, NodeType
from services.app.demo.tables import Asked, answers_table, person_tree
from services.app.demo.transcript import (
    Question,
    Transcript,
    TranscriptError,
    Turn,
    read_transcript,
)
from services.app.display import StartProgress
from services.app.local_stack import LocalStack
from services.embedded.failures import EmbeddedError

console = Console()
BATCH = 20
EXTRACTION_SECONDS = 600.0
POLL_SECONDS = 0.2
TOP = 10
NEIGHBORS = 25


async def run(home: Path, port: int, file: Path | None, questions: Path | None) -> None:
    """Starts the stack, ingests, waits, digests, asks, shows a person, stops.

    Raises EmbeddedError with what to do when a file or the machine is not as needed.
    """
    try:
        transcript = read_transcript(file, questions)
    except TranscriptError as error:
        raise EmbeddedError(str(error)) from None
    progress = StartProgress()
    stack = LocalStack(home, port=port, on_event=progress)
    with progress:
        await stack.stack.start()
    try:
        console.print(f"[green]up[/] after {progress.seconds:.1f} s: {stack.address}")
        async with AsyncMnema(stack.address, api_key=stack.api_key) as memory:
            await _show(memory, transcript)
    finally:
        await stack.stack.stop()
    console.print("stopped. [bold]mnema up[/] runs it for your own agents.")


async def _show(memory: AsyncMnema, transcript: Transcript) -> None:
    # A user of this run's own: what an earlier demo left behind must not help.
    user_id = f"demo-{transcript.name}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    first, last = transcript.span
    console.print(
        f"\n[bold]{transcript.name}[/]: {len(transcript.turns)} messages, "
        f"{len(transcript.sessions)} sessions, {first:%d %B %Y} to {last:%d %B %Y}; user {user_id}"
    )
    # The digest that is shown reads everything: none is made by itself before.
    await memory.accounts.update_settings(user_id, reflection_interval=0)
    ids = await _ingest(memory, user_id, transcript)
    await _find_again(memory, user_id, transcript.turns, ids)
    await _wait_for_extraction(memory, user_id)
    await _digest(memory, user_id)
    asked = [await _ask(memory, user_id, each, ids) for each in transcript.questions]
    console.print(answers_table(asked))
    await _show_person(memory, user_id, transcript)


async def _ingest(memory: AsyncMnema, user_id: str, transcript: Transcript) -> dict[str, Turn]:
    """Ingests every turn; the turns by the message ids that acknowledge them."""
    acknowledged: dict[str, Turn] = {}
    begun = time.monotonic()
    with _bar() as bar:
        task = bar.add_task("ingest", total=len(transcript.turns))
        for session_id, turns in transcript.sessions.items():
            for start in range(0, len(turns), BATCH):
                batch = turns[start : start + BATCH]
                _, message_ids = await memory.conversations.add_messages_batch(
                    user_id, messages=[_message(turn) for turn in batch], session_id=session_id
                )
                acknowledged.update(zip(message_ids, batch, strict=True))
                bar.advance(task, len(batch))
    seconds = time.monotonic() - begun
    console.print(
        f"  {len(acknowledged)} of {len(transcript.turns)} messages acknowledged "
        f"[dim]({len(acknowledged) / seconds:.0f} a second)[/]"
    )
    return acknowledged


async def _find_again(
    memory: AsyncMnema, user_id: str, turns: Sequence[Turn], ids: dict[str, Turn]
) -> None:
    """Looks for every message by its own words, before anything was extracted from it."""
    found = 0
    with _bar() as bar:
        task = bar.add_task("find each again", total=len(turns))
        for message_id, turn in ids.items():
            result = await memory.recall(
                user_id, turn.content[:8192], limit=TOP, include_conversations=True
            )
            hits = result["conversation_results"]
            same_words = any(hit["content"] == turn.content for hit in hits)
            found += same_words or message_id in {hit["id"] for hit in hits}
            bar.advance(task)
    console.print(f"  {found} of {len(turns)} messages found again by their own words")


async def _wait_for_extraction(memory: AsyncMnema, user_id: str) -> None:
    deadline = time.monotonic() + EXTRACTION_SECONDS
    with _bar() as bar:
        task = bar.add_task("extract", total=None)
        waiting_at_first = None
        while True:
            status = await memory.status(user_id)
            waiting = status.pending_messages + status.pending_embeddings
            waiting_at_first = waiting_at_first or max(waiting, 1)
            bar.update(task, total=waiting_at_first, completed=max(0, waiting_at_first - waiting))
            if status.settled:
                break
            if time.monotonic() > deadline:
                raise EmbeddedError("extraction did not end in time: see logs/worker.log")
            await asyncio.sleep(POLL_SECONDS)
    extractions = await memory.list_extractions(user_id, limit=1000)
    facts = sum(each.facts_extracted for each in extractions)
    episodes = sum(each.episodes_extracted for each in extractions)
    triples = sum(each.triples_extracted for each in extractions)
    console.print(
        f"  {facts} facts, {episodes} episodes, {triples} triples extracted; "
        f"{status.failed_extractions} extractions failed"
    )


async def _digest(memory: AsyncMnema, user_id: str) -> None:
    insights: list[str] = []
    state = ""
    while True:
        digest = await memory.digest(user_id, batch_size=200)
        insights += [each["content"] for each in digest["insights"]]
        state = digest["emotion_profile"]["latest_state"] or state
        if not digest["memories_analyzed"]:
            break
    console.print(f"  digest: {len(insights)} insights; of late {state or 'nothing expressed'}")
    for insight in insights:
        console.print(f"    [dim]·[/] {insight}", highlight=False)
    console.print()


async def _ask(memory: AsyncMnema, user_id: str, question: Question, ids: dict[str, Turn]) -> Asked:
    begun = time.perf_counter()
    result = await memory.recall(user_id, question.question, limit=TOP, include_conversations=True)
    milliseconds = (time.perf_counter() - begun) * 1000
    merged: list[Any] = result["merged"]
    best = merged[0] if merged else None
    sources = (
        [ids[each].content for each in best["source_message_ids"] if each in ids] if best else []
    )
    evidence_found = None
    if question.evidence:
        behind = {
            ids[each].id for hit in merged for each in hit["source_message_ids"] if each in ids
        }
        evidence_found = bool(behind & set(question.evidence))
    return Asked(
        question.question,
        best,
        sources[0] if sources else "",
        milliseconds,
        result["degraded"],
        evidence_found,
    )


async def _show_person(memory: AsyncMnema, user_id: str, transcript: Transcript) -> None:
    """The graph of who speaks most; of the user where nobody has a name."""
    name = transcript.speakers[0] if transcript.speakers else user_id
    node_type = NodeType.PERSON if transcript.speakers else NodeType.USER
    node_id = name.casefold().replace(" ", "_") if transcript.speakers else user_id
    neighbors = await memory.graph.get_neighbors(
        user_id, node_type, node_id, limit=NEIGHBORS, include_closed=True
    )
    console.print(person_tree(name, neighbors))


def _message(turn: Turn) -> dict[str, Any]:
    message: dict[str, Any] = {"role": turn.role, "content": turn.content, "said_at": turn.time}
    if turn.speaker:
        message["speaker"] = turn.speaker
    return message


def _bar() -> Progress:
    return Progress(
        TextColumn("  {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
