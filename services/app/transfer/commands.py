"""The commands `mnema export` and `mnema import`."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from services.app.local_stack import DEFAULT_PORT
from services.app.transfer.run import READERS, Server, export_file, import_file, import_foreign
from services.runtime.errors import MnemaError

Address = Annotated[
    str, typer.Option(envvar="MNEMA_ADDRESS", help="Where the gateway is: host:port or a URL.")
]
ApiKey = Annotated[
    str,
    typer.Option(
        envvar="MNEMA_API_KEY",
        help="A tenant's key, or the user's own. Default: that of the local `mnema up`.",
        show_default=False,
    ),
]
_LOCAL = f"127.0.0.1:{DEFAULT_PORT}"


def export_command(
    user: Annotated[str, typer.Argument(help="The user's id.", metavar="USER")],
    file: Annotated[Path, typer.Argument(help="Where it goes: JSON Lines.", metavar="FILE")],
    address: Address = _LOCAL,
    api_key: ApiKey = "",
) -> None:
    """Write everything of a user to a file, as it is at one moment.

    Messages, memories with their history, the graph, values, files with their bytes: all of it,
    one JSON object a line (docs/export-format.md). The file is there whole or not at all.

    [bold]mnema export alice alice.jsonl[/]
    """
    _show(lambda console: export_file(_server(address, api_key), user, file, console))


def import_command(
    source: Annotated[
        list[str],
        typer.Argument(
            help="The file; before it, the system it comes from if that is not Mnema.",
            metavar=f"[{'|'.join(READERS)}] FILE",
        ),
    ],
    user: Annotated[
        str | None,
        typer.Option(help="Who is to have the data. It must be a user without any."),
    ] = None,
    address: Address = _LOCAL,
    api_key: ApiKey = "",
) -> None:
    """Bring a user's data in: all of it or nothing.

    An export of our own, with ids, times and history as they were:

    [bold]mnema import alice.jsonl --user alice[/]

    What neuromem's export_user_data() gave, saved as JSON:

    [bold]mnema import neuromem alice.json --user alice[/]

    Memories of mem0, as get_all() gives them (a list, or in "results"). Each memory goes to the
    user it names, unless --user says who has them all:

    [bold]mnema import mem0 memories.json[/]

    Of several users each is imported wholly or not at all, and a table says what became of each.
    The same command, repeated, finds what is there already and does the rest.
    """
    system, path = (source[0], source[1]) if len(source) == 2 else ("", source[0])
    if len(source) > 2 or (system and system not in READERS):
        raise typer.BadParameter(f"say FILE, or one of {', '.join(READERS)} and FILE")
    file = Path(path)
    if not file.is_file():
        raise typer.BadParameter(f"there is no file {path}", param_hint="FILE")
    if system:
        _show(
            lambda console: import_foreign(_server(address, api_key), system, file, user, console)
        )
    elif user is None:
        raise typer.BadParameter("say who is to have the data", param_hint="--user")
    else:
        _show(lambda console: import_file(_server(address, api_key), user, file, console))


def _server(address: str, api_key: str) -> Server:
    home = Path(os.environ.get("MNEMA_HOME") or Path.home() / ".mnema")
    return Server(address, api_key, home)


def _show(work: Callable[[Console], None]) -> None:
    try:
        work(Console())
    except MnemaError as error:
        Console(stderr=True).print(f"[red]error:[/] {error}", highlight=False, markup=True)
        raise typer.Exit(1) from None
