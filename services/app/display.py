"""What a person sees in the terminal: parts starting, addresses, calls to paste, settings."""

import asyncio
import signal
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.syntax import Syntax
from rich.table import Table

from services.app.local_stack import LocalStack
from services.app.settings import Settings
from services.app.targets import TARGETS
from services.embedded.events import (
    Crashed,
    Event,
    LeftoverEnded,
    Ready,
    RestartFailed,
    Started,
    Stopped,
)
from services.runtime.config import ENV_PREFIX

console = Console()
# PostgreSQL, three steps, the gateway.
PARTS_BESIDE_TARGETS = 5


class StartProgress:
    """A bar while the parts come up; afterwards a line for every crash and its mending."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task("starting", total=len(TARGETS) + PARTS_BESIDE_TARGETS)
        self._begun = time.monotonic()
        self._starting = True

    def __enter__(self) -> "StartProgress":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
        self._starting = False

    @property
    def seconds(self) -> float:
        """Since the start began."""
        return time.monotonic() - self._begun

    def __call__(self, event: Event) -> None:
        """Shows one event of the supervisor."""
        match event:
            case Ready(part, seconds) if self._starting:
                self._progress.update(self._task, advance=1, description=f"{part} is ready")
                console.print(f"  {part} [dim]{seconds:.1f} s[/]", highlight=False)
            case Ready(part, _):
                console.print(f"[green]{part} is back[/]", highlight=False)
            case Crashed(part, code, wait, tail):
                console.print(
                    f"[red]{part} ended with {code}[/], again in {wait:.1f} s", highlight=False
                )
                console.print(escape(tail), style="dim", highlight=False)
            case RestartFailed(part, reason, wait, _):
                console.print(f"[red]{part}: {reason}[/], again in {wait:.1f} s", highlight=False)
            case LeftoverEnded(part, pid):
                console.print(f"[yellow]ended {part} (process {pid}) of an earlier run[/]")
            case Started() | Stopped():
                pass


async def run_until_stopped(home: Path, port: int) -> None:
    """`mnema up`: start, show, wait for Ctrl-C, stop."""
    progress = StartProgress()
    stack = LocalStack(home, port=port, on_event=progress)
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked.set)
    with progress:
        starting = asyncio.create_task(stack.stack.start())
        stopping = asyncio.create_task(asked.wait())
        await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            return
        starting.result()
    try:
        welcome(stack, progress.seconds)
        await stopping
        console.print("stopping …")
    finally:
        await stack.stack.stop()
    console.print("stopped; the data stays in", str(stack.home))


def welcome(stack: LocalStack, seconds: float) -> None:
    """Addresses, the key, three calls to paste."""
    console.print(f"\n[bold green]Mnema is up[/] [dim]({seconds:.1f} s)[/]")
    table = Table.grid(padding=(0, 2))
    table.add_row("gRPC, gRPC-Web", f"[bold]{stack.address}[/]")
    table.add_row("REST", f"[bold]http://{stack.address}/v1/…[/]")
    table.add_row("API key", f"[bold]{stack.api_key}[/]")
    table.add_row("data, logs", str(stack.home))
    console.print(table, highlight=False)
    calls = [
        ("curl", "bash", _curl(stack)),
        ("grpcurl", "bash", _grpcurl(stack)),
        ("Python", "python", _python(stack)),
    ]
    for title, language, code in calls:
        console.print(f"\n[dim]# {title}[/]")
        # Neither a border nor line breaks of ours: what is marked and pasted must run.
        shown = Syntax(code, language, background_color="default").highlight(code)
        shown.rstrip()
        console.print(shown, soft_wrap=True, highlight=False)
    console.print("\n[dim]Ctrl-C stops everything.[/]")


def print_settings(settings: Settings) -> None:
    """Every setting: its variable, its value in effect."""
    table = Table("variable", "value", box=None, header_style="bold")
    for name, value in _leaves(settings, ENV_PREFIX):
        shown = "[dim]set, hidden[/]" if isinstance(value, SecretStr) else escape(str(value))
        table.add_row(name, shown)
    console.print(table, highlight=False)


def _leaves(branch: BaseModel, prefix: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name in type(branch).model_fields:
        value = getattr(branch, name)
        if isinstance(value, BaseModel):
            found += _leaves(value, f"{prefix}{name.upper()}__")
        else:
            found.append((f"{prefix}{name.upper()}", value))
    return found


def _curl(stack: LocalStack) -> str:
    return f"""curl -s http://{stack.address}/v1/ingest -H "X-API-Key: {stack.api_key}" \\
  -d '{{"user_id": "alice", "role": "user", "content": "I work at Google and live in Zurich."}}'"""


def _grpcurl(stack: LocalStack) -> str:
    return f"""grpcurl -plaintext -H "x-api-key: {stack.api_key}" \\
  -d '{{"user_id": "alice", "query": "Where does she work?"}}' \\
  {stack.address} mnema.v1.RecallService/Recall"""


def _python(stack: LocalStack) -> str:
    return f"""from mnema.client import Mnema

with Mnema("{stack.address}", api_key="{stack.api_key}") as memory:
    for found in memory.recall("alice", "Where does she live?")["merged"]:
        print(found["score"], found["content"])"""
