"""The demo's tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from mnema.client import Neighbor

SHOWN_CHARACTERS = 90


@dataclass(frozen=True, slots=True)
class Asked:
    """One question and what came of it. `evidence_found` is None where no evidence is known."""

    question: str
    best: Any | None
    source_message: str
    milliseconds: float
    degraded: bool
    evidence_found: bool | None


def answers_table(asked: Sequence[Asked]) -> Table:
    """Question, best memory, score with its factors, source message, milliseconds."""
    with_evidence = any(each.evidence_found is not None for each in asked)
    table = Table(title="What is remembered", title_justify="left", show_lines=True, expand=True)
    table.add_column("question", ratio=3, style="bold")
    table.add_column("best memory", ratio=4)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("factors", ratio=2, style="dim")
    table.add_column("source message", ratio=4, style="dim")
    table.add_column("ms", justify="right", no_wrap=True)
    if with_evidence:
        table.add_column("evidence", justify="center", no_wrap=True)
    for each in asked:
        row = [each.question, *_best(each), shortened(each.source_message)]
        row.append(f"{each.milliseconds:.1f}" + (" degraded" if each.degraded else ""))
        if with_evidence:
            row.append(_mark(each.evidence_found))
        table.add_row(*row)
    return table


def person_tree(name: str, neighbors: Sequence[Neighbor]) -> Tree:
    """The graph around one person: what is true first, then what is over."""
    tree = Tree(f"[bold]{escape(name)}[/] [dim](graph)[/]")
    for each in sorted(neighbors, key=lambda each: each.edge.valid_to is not None):
        edge = each.edge
        relation = edge.custom_type or edge.edge_type.value
        arrow = "→" if each.direction == "out" else "←"
        times = [f"since {edge.valid_from:%Y-%m-%d}"] if edge.valid_from else []
        times += [f"until {edge.valid_to:%Y-%m-%d}"] if edge.valid_to else []
        style = "dim" if edge.valid_to else "cyan"
        tree.add(
            f"{arrow} [{style}]{relation}[/] {escape(each.node.name)} [dim]{' '.join(times)}[/]"
        )
    return tree


def shortened(text: str) -> str:
    """A text on one line of a table."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARACTERS else line[: SHOWN_CHARACTERS - 1] + "…"


def _best(asked: Asked) -> tuple[str, str, str]:
    if asked.best is None:
        return "[red]nothing[/]", "–", ""
    best = asked.best
    factors = best.get("factors")
    if not factors:
        explained = "graph: confidence × coverage × 0.5"
    else:
        explained = (
            f"relevance {factors['score']:.2f}, recency {factors['recency']:.2f}, "
            f"importance {factors['importance']:.1f}, graph {factors['graph_boost']:.1f}"
        )
    return (
        f"{shortened(best['content'])}\n[dim]{best['source']}[/]",
        f"{best['score']:.3f}",
        explained,
    )


def _mark(found: bool | None) -> str:
    if found is None:
        return ""
    return "[green]found[/]" if found else "[red]not in 10[/]"
