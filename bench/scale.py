"""Whether a user pays for others: one user's recalls while the tables grow."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress

from bench import report
from bench.corpus import Corpus
from bench.latency import COLUMNS, Point, Questions, point
from bench.loading import Loader, corpus_of
from bench.measuring import closed_loop
from bench.system import RECALL, Memory, System, home_of, running

WARM_UP = 20


@dataclass(frozen=True, slots=True)
class Scale:
    """What to measure: a user of `user` memories, when all users have so many in `totals`.

    The others have as many in turn as `others` says.
    """

    totals: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    user: int = 1_000
    others: tuple[int, ...] = (100, 1_000, 3_000, 10_000)
    calls: int = 300
    home: Path | None = None


@dataclass(frozen=True, slots=True)
class Stand:
    """One stage of growth."""

    total: int
    users: int
    recalls: Point
    disk: int

    def figures(self) -> dict[str, object]:
        """For the JSON file."""
        return {
            "memories": self.total,
            "users": self.users,
            "database_bytes": self.disk,
            "recalls": self.recalls.figures(),
        }


async def run(options: Scale) -> dict[str, object]:
    """Loads, measures and loads more; shows and writes the figures."""
    corpus = await corpus_of()
    with home_of(options.home) as home, report.progress() as bar:
        async with running(home) as system, Loader.open(system, corpus) as loader:
            stands = await _stands(system, corpus, loader, options, bar)
            held = system.memory()
    rows = [
        [
            f"{each.total:,} of {each.users:,} users",
            *each.recalls.row()[3:],
            f"{each.disk / 2**20:,.0f}",
        ]
        for each in stands
    ]
    title = f"Recall of a user of {options.user:,}, one client, through the gateway"
    report.show(title, ("memories in all", *COLUMNS[3:], "MiB on disk"), rows)
    show_memory(held)
    results: dict[str, object] = {
        "stands": [each.figures() for each in stands],
        "memory_mib": {
            name: {"resident": each.resident, "proportional": each.proportional}
            for name, each in held.items()
        },
    }
    report.write("scale", {"user": options.user, "calls": options.calls}, results)
    return results


def show_memory(held: dict[str, Memory]) -> None:
    """A table of what each part holds."""
    rows: list[Sequence[object]] = [
        [name, each.resident, each.proportional] for name, each in held.items()
    ]
    rows.append(["all", "", sum(each.proportional for each in held.values())])
    note = "shared pages count in full for each process as resident, once as proportional"
    report.show("Memory", ("part", "resident MiB", "proportional MiB"), rows, note)


async def _stands(
    system: System, corpus: Corpus, loader: Loader, options: Scale, bar: Progress
) -> list[Stand]:
    measured_user = await loader.load(0, options.user, bar)
    total, users = options.user, 1
    questions = Questions(corpus, seed=30_000)
    stands = []
    for wanted in options.totals:
        task = bar.add_task(f"all users: {wanted:,} memories", total=wanted, completed=total)
        while total < wanted:
            count = min(options.others[users % len(options.others)], wanted - total)
            await loader.load(users, count, bar)
            total, users = total + count, users + 1
            bar.update(task, completed=total)
        await loader.settle()
        bar.remove_task(task)
        call = system.call(RECALL)
        await closed_loop(call, questions.recalls(measured_user, WARM_UP))
        measured = await closed_loop(call, questions.recalls(measured_user, options.calls))
        stands.append(
            Stand(
                total,
                users,
                point(options.user, "gateway", 1, measured),
                await loader.database_bytes(),
            )
        )
    return stands
