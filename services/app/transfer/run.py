"""Exporting to a file and importing from one, with what is shown meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from mnema.client import Mnema, MnemaError
from services.app.credentials import Credentials
from services.app.transfer.foreign import ForeignFile
from services.app.transfer.mem0 import read_mem0
from services.app.transfer.neuromem import read_neuromem
from services.app.transfer.outcomes import counted, import_records, show_outcomes
from services.app.transfer.records import ForeignError, Records
from services.runtime.errors import FailedPrecondition

READERS: dict[str, Callable[[ForeignFile, str | None], list[Records]]] = {
    "neuromem": read_neuromem,
    "mem0": read_mem0,
}
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Server:
    """Where the service is, and the key that opens it; empty: that of the local one's home."""

    address: str
    api_key: str
    home: Path

    def client(self) -> Mnema:
        """FailedPrecondition if there is no key."""
        key = self.api_key
        if not key and (self.home / "credentials.json").exists():
            key = Credentials.load(self.home).api_key
        if not key:
            raise FailedPrecondition(
                "no API key: give --api-key, set MNEMA_API_KEY, or run `mnema up` once"
            )
        return Mnema(self.address, api_key=key)


def export_file(server: Server, user_id: str, path: Path, console: Console) -> None:
    """Writes everything of the user to the file; it is there whole or not at all."""
    with server.client() as memory, _progress(console, MofNCompleteColumn()) as bar:
        task = bar.add_task(f"exporting {user_id}", total=None)
        _told(
            lambda: memory.export_to(
                user_id, path, lambda done, total: bar.update(task, completed=done, total=total)
            )
        )
    console.print(f"[green]written[/] {path}: {path.stat().st_size:,} bytes", highlight=False)


def import_file(server: Server, user_id: str, path: Path, console: Console) -> None:
    """Imports one of our own exports for a user who has nothing yet."""
    with server.client() as memory, _progress(console, DownloadColumn()) as bar:
        task = bar.add_task(f"importing {path.name}", total=path.stat().st_size)
        result = _told(
            lambda: memory.import_from(
                user_id, path, lambda done, total: bar.update(task, completed=done, total=total)
            )
        )
    counts = counted(result["imported"])
    console.print(f"[green]imported[/] for {escape(user_id)}: {counts}", highlight=False)


def import_foreign(
    server: Server, system: str, path: Path, user_id: str | None, console: Console
) -> None:
    """Imports another system's export: each user of it wholly or not at all.

    FailedPrecondition if one was not, when all have had their turn.
    """
    found = _told(lambda: READERS[system](ForeignFile.read(path), user_id))
    outcomes = []
    with server.client() as memory, _progress(console, MofNCompleteColumn()) as bar:
        task = bar.add_task(f"importing from {system}", total=len(found))
        for records in found:
            outcomes.append(import_records(memory, records))
            bar.advance(task)
    if not found:
        console.print("there was nothing in it")
        return
    show_outcomes(console, outcomes)
    if failed := sum(outcome.state == "failed" for outcome in outcomes):
        raise FailedPrecondition(
            f"{failed} of {len(outcomes)} users could not be imported; what is there stays, and "
            "the same command goes on with the rest"
        )


def _told(work: Callable[[], Done]) -> Done:
    """What fails, as an error that the command line shows in one line."""
    try:
        return work()
    except (ForeignError, ValueError, OSError, MnemaError) as error:
        raise FailedPrecondition(str(error)) from error


def _progress(console: Console, count: ProgressColumn) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        count,
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
