"""What a person sees of a measurement, and the file that keeps it."""

import json
import math
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

_WIDE = 140  # columns of a table in a log file
console = Console()
if not console.is_terminal:
    console = Console(width=_WIDE)
RESULTS = Path("build") / "bench"


def progress() -> Progress:
    """A bar for what takes long; it goes when the work is done."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )


def show(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], note: str = ""
) -> None:
    """Prints a table, its first column what was measured, the others figures; then the note."""
    table = Table(title=title, title_justify="left")
    for position, column in enumerate(columns):
        table.add_column(column, justify="right" if position else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(shown, row))
    console.print(table)
    if note:
        console.print(f"[dim]{note}[/]", highlight=False)


class Share(float):
    """A figure from 0 to 1, shown with three decimals."""


def shown(value: object) -> str:
    """A figure as one reads it: three digits that matter, thousands with commas."""
    if isinstance(value, float):
        return "–" if math.isnan(value) else _number(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _number(value: float) -> str:
    if isinstance(value, Share):
        return f"{value:.3f}"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def write(suite: str, options: Mapping[str, Any], results: Mapping[str, Any]) -> Path:
    """Writes build/bench/<suite>.json and says so."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{suite}.json"
    content = {
        "suite": suite,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "options": dict(options),
        "results": dict(results),
    }
    path.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")
    console.print(f"[dim]written to {path}[/]")
    return path


def machine() -> dict[str, object]:
    """What the figures are figures of."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_average": os.getloadavg()[0],
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "revision": _revision(),
    }


def _revision() -> str:
    """The commit that is checked out, with a + when files differ; empty outside a checkout."""
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"],  # noqa: S607 - the person's own git
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )
    return found.stdout.strip()
