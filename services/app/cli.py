"""The program `mnema`: one for the person who tries it and for the one who runs it."""

import asyncio
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console

from services.app import display
from services.app.demo.run import run as run_demo
from services.app.local_stack import DEFAULT_PORT
from services.app.prepare import OWNER_DSN, prepare
from services.app.serve import serve as serve_targets
from services.app.settings import Settings, misspelt_variables
from services.app.targets import TARGETS
from services.app.transfer.commands import export_command, import_command
from services.embedded.failures import EmbeddedError
from services.runtime.auth import KeyKind
from services.runtime.database import Database
from services.runtime.errors import MnemaError
from services.runtime.ids import TenantId
from services.runtime.scope import Scope
from services.storage import accounts

app = typer.Typer(
    name="mnema",
    help="Mnema: the long-term memory of AI agents, as a service.\n\n"
    "Try [bold]mnema demo[/] to see it work, [bold]mnema up[/] to run it on this machine.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
keys = typer.Typer(help="Make API keys, straight in the database.", no_args_is_help=True)
app.add_typer(keys, name="keys")
app.command("export")(export_command)
app.command("import")(import_command)

Home = Annotated[
    Path | None,
    typer.Option(help="Folder of all state. Default: MNEMA_HOME, or ~/.mnema.", show_default=False),
]
Port = Annotated[
    int, typer.Option(envvar="MNEMA_PORT", help="Port of the gateway.", min=1, max=65535)
]
err = Console(stderr=True)


@app.command()
def up(home: Home = None, port: Port = DEFAULT_PORT) -> None:
    """Run everything on this machine: PostgreSQL, every service, the gateway.

    Prints addresses, a key and three calls to paste. Ctrl-C stops all of it; a second start
    finds the data again. MNEMA_ variables set an LLM, another embedding model, S3 and so on:
    see [bold]mnema config[/].
    """
    _run(display.run_until_stopped(_home(home), port))


@app.command("demo")
def demo_command(
    home: Home = None,
    port: Port = DEFAULT_PORT,
    file: Annotated[
        Path | None,
        typer.Option(
            help="A transcript of your own: JSON Lines of session, speaker, role, content, time.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    questions: Annotated[
        Path | None,
        typer.Option(
            help="What to ask: a JSON list of {question}. "
            "Default: NAME.questions.json beside the transcript, or questions about who is in it.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
) -> None:
    """Start everything, ingest a conversation, digest it, ask a dozen questions, stop.

    Shows for each question the best memory, its score and factors, and the message behind it.
    """
    _run(run_demo(_home(home), port, file, questions))


@app.command()
def serve(
    targets: Annotated[
        list[str], typer.Argument(help=f"One or more of: {', '.join(TARGETS)}", metavar="TARGET...")
    ],
) -> None:
    """Serve one target, or several in one process, until SIGTERM.

    All settings come from MNEMA_ variables: see [bold]mnema config[/].
    """
    wrong = sorted(set(targets) - set(TARGETS))
    if wrong:
        raise typer.BadParameter(f"{', '.join(wrong)}: choose among {', '.join(TARGETS)}")
    raise typer.Exit(serve_targets(targets, _settings()))


@app.command()
def migrate(
    owner_dsn: Annotated[
        str,
        typer.Option(envvar=OWNER_DSN, help="Logs in as the owner of the tables (mnema_owner)."),
    ],
) -> None:
    """Upgrade the database's schema, and make the space of the embedding model the active one.

    Safe to run at any time; services refuse to start on a schema older than they need. After a
    change of the model stop the services first: everything is embedded anew when they are back.
    """
    revision = _run(prepare(_settings(), owner_dsn))
    Console().print(f"the schema is at revision [bold]{revision}[/]")


@app.command()
def config() -> None:
    """Show every setting: the variable that sets it and its value. Secrets stay hidden."""
    display.print_settings(_settings())


@keys.command("create")
def create_key(
    kind: Annotated[str, typer.Option(help="admin, tenant or user")] = "tenant",
    tenant: Annotated[
        str, typer.Option(help="The tenant's name; made if there is none.")
    ] = "default",
    user: Annotated[str | None, typer.Option(help="The user's id, for a user key.")] = None,
) -> None:
    """Make an API key with the database's own credentials: the way to the first admin key.

    Prints the secret and nothing else; it is stored hashed and can't be shown again.
    """
    if kind not in ("admin", "tenant", "user"):
        raise typer.BadParameter("must be admin, tenant or user", param_hint="--kind")
    if (kind == "user") != (user is not None):
        raise typer.BadParameter("goes with --kind user, and only with it", param_hint="--user")
    sys.stdout.write(_run(_create_key(_settings(), kind, tenant, user)) + "\n")  # type: ignore[arg-type]


async def _create_key(settings: Settings, kind: KeyKind, tenant: str, user: str | None) -> str:
    async with (
        Database.open(settings.database) as database,
        database.transaction(Scope(admin=True)) as connection,
    ):
        tenant_id: TenantId | None = None
        if kind != "admin":
            found = await accounts.find_tenant(connection, tenant)
            found = found or await accounts.create_tenant(connection, tenant)
            tenant_id = found.tenant_id
        new = accounts.NewKey(kind, tenant_id, user, name="mnema keys create")
        _, secret = await accounts.create_key(connection, new)
    return secret


def _home(given: Path | None) -> Path:
    return given or Path(os.environ.get("MNEMA_HOME") or Path.home() / ".mnema")


def _settings() -> Settings:
    if misspelt := misspelt_variables(os.environ):
        err.print(f"[red]no such settings:[/] {', '.join(misspelt)}. `mnema config` lists all.")
        raise typer.Exit(2)
    return Settings()


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    try:
        return asyncio.run(work)
    except (EmbeddedError, MnemaError) as error:
        err.print(f"[red]error:[/] {error}", highlight=False)
        raise typer.Exit(1) from None


def main() -> None:
    """The console script's entry."""
    try:
        app()
    except ValidationError as error:
        err.print(f"[red]the settings are wrong:[/] {error}", highlight=False)
        sys.exit(2)
