"""`python -m bench`: what one machine does, through the gateway.

Starts a stack of its own in a temporary home, ingests made-up messages, and measures ingest
and recall. Prints a table and writes JSON. Figures are of this machine at this moment:
compare within one run.
"""

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from mnema.client import AsyncMnema
from services.app.local_stack import LocalStack
from services.embedded.ports import free_ports

SUBJECTS = ("Ada", "Bruno", "Carla", "Deniz", "Emil", "Freya", "Goran", "Hana")
VERBS = ("painted", "repaired", "sold", "borrowed", "photographed", "forgot", "wrapped", "found")
THINGS = ("a bicycle", "the old radio", "three lamps", "a letter", "the garden gate", "a violin")
PLACES = ("in Lisbon", "near the harbour", "at the market", "behind the school", "on the train")
BATCH = 100
CLIENTS = (1, 4, 16)
RECALLS = 200
USER = "bench"


@dataclass(frozen=True)
class Figure:
    """One measured thing: calls a second, and milliseconds a call."""

    what: str
    per_second: float
    p50_ms: float
    p95_ms: float


def message(number: int) -> str:
    """A sentence of its own; the same for the same number."""
    chosen = random.Random(number)  # noqa: S311 - no secret
    parts = [chosen.choice(each) for each in (SUBJECTS, VERBS, THINGS, PLACES)]
    return f"{' '.join(parts)} on day {number}."


async def timed(call: Callable[[], Awaitable[object]]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    await call()
    return (time.perf_counter() - began) * 1000


async def at_once(
    what: str, clients: int, calls: int, call: Callable[[int], Awaitable[object]]
) -> Figure:
    """`calls` calls by so many clients at once."""
    waiting = iter(range(calls))
    taken: list[float] = []

    async def client() -> None:
        for number in waiting:
            taken.append(await timed(lambda number=number: call(number)))  # type: ignore[misc]

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    seconds = time.perf_counter() - began
    ordered = sorted(taken)
    p95 = ordered[int(0.95 * (len(ordered) - 1))]
    return Figure(what, calls / seconds, statistics.median(ordered), p95)


async def measure(memory: AsyncMnema, messages: int) -> list[Figure]:
    """Ingests, waits until all is embedded, recalls."""
    figures = []
    batches = range(0, messages, BATCH)
    began = time.perf_counter()
    taken = []
    for start in track(batches, "ingest", transient=True):
        batch = [{"role": "user", "content": message(n)} for n in range(start, start + BATCH)]
        taken.append(await timed(lambda batch=batch: memory.ingest_batch(USER, batch)))  # type: ignore[misc]
    seconds = time.perf_counter() - began
    acknowledged = messages / seconds
    p95 = sorted(taken)[int(0.95 * (len(taken) - 1))]
    figures.append(
        Figure(
            f"messages acknowledged, batches of {BATCH}",
            acknowledged,
            statistics.median(taken),
            p95,
        )
    )
    await memory.wait_until_extracted(USER, timeout=3600)
    settled = messages / (time.perf_counter() - began)
    figures.append(Figure("messages extracted and embedded", settled, 0.0, 0.0))
    for clients in CLIENTS:
        figures.append(
            await at_once(
                f"single messages, {clients} clients",
                clients,
                RECALLS,
                lambda n: memory.ingest(USER, "user", message(messages + n)),
            )
        )
    await memory.wait_until_extracted(USER, timeout=3600)
    for clients in CLIENTS:
        figures.append(
            await at_once(
                f"recalls among {messages} messages, {clients} clients",
                clients,
                RECALLS,
                lambda n: memory.recall(
                    USER, f"Who {VERBS[n % 8]} something {PLACES[n % 5]}? {n}", limit=10
                ),
            )
        )
    return figures


async def run(messages: int, output: Path | None) -> None:
    """The whole measurement."""
    console = Console()
    with tempfile.TemporaryDirectory(prefix="mnema-bench-") as folder:
        home = Path(folder)
        home.chmod(0o755)  # PostgreSQL runs under another account when we are root
        async with (
            LocalStack(home, port=free_ports(1)[0]) as stack,
            AsyncMnema(stack.address, api_key=stack.api_key) as memory,
        ):
            figures = await measure(memory, messages)
    table = Table(
        "what", "a second", "p50 ms", "p95 ms", title="Through the gateway", title_justify="left"
    )
    for each in figures:
        times = [f"{ms:.1f}" if ms else "" for ms in (each.p50_ms, each.p95_ms)]
        table.add_row(each.what, f"{each.per_second:.0f}", *times)
    console.print(table)
    if output is not None:
        output.write_text(json.dumps([asdict(each) for each in figures], indent=2) + "\n")
        console.print(f"written to {output}")


def main() -> None:
    """Reads the arguments."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--messages", type=int, default=2000, help="messages to ingest; default 2000"
    )
    parser.add_argument("--output", type=Path, help="a file for the figures as JSON")
    arguments = parser.parse_args()
    asyncio.run(run(arguments.messages, arguments.output))


main()
