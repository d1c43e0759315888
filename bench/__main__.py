"""`python -m bench`: what the system does on this machine, and how well."""

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import typer
from rich.markup import escape

from bench import fit as fit_suite
from bench import giant as giant_suite
from bench import ingest as ingest_suite
from bench import latency as latency_suite
from bench import quality as quality_suite
from bench import scale as scale_suite
from bench.engines import EngineName, Source
from bench.fitting import FitError
from bench.profiles import ProfileError
from bench.report import console
from bench.transcripts import TranscriptError
from services.embedded.failures import EmbeddedError

app = typer.Typer(
    name="python -m bench",
    help="Measure Mnema on this machine: how much it finds, how fast, how much it holds.\n\n"
    "Every suite starts a whole system of its own (PostgreSQL, every service, the gateway) in a "
    "folder that is removed afterwards, prints tables, and writes build/bench/SUITE.json. "
    "Figures are of this machine at this moment: compare within one run, on an idle machine.\n\n"
    "A first look, in a minute: [bold]python -m bench latency --sizes 1000 --clients 1[/]",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
Name = TypeVar("Name", bound=str)

Folders = Annotated[
    list[Path],
    typer.Argument(
        help="Folders of transcripts: NAME.jsonl (a turn a line: id, session, speaker, role, "
        "content, time) and NAME.questions.json (a list of question, evidence: ids of turns, "
        "category).",
        exists=True,
        file_okay=False,
    ),
]
Home = Annotated[
    Path | None,
    typer.Option(
        help="Keep the system's state here, with the users loaded into it: the next run on it "
        "loads nothing twice. Default: a folder that is removed.",
        file_okay=False,
        show_default=False,
    ),
]
Calls = Annotated[int, typer.Option(help="Recalls of one client at each point.", min=1)]


@app.command()
def quality(
    folders: Folders,
    engine: Annotated[
        str,
        typer.Option(
            help="mnema, through the gateway; or a plain engine in this process over the same "
            "texts with the same analysis and model: bm25, dense, rrf."
        ),
    ] = "mnema",
    k: Annotated[str, typer.Option(help="Depths to judge at.")] = "5,10,20",
    source: Annotated[
        str,
        typer.Option(
            help="What mnema is asked for. messages: VectorService.Search among messages. merged: "
            "RecallService.Recall's list of memories, messages and facts, once all is extracted."
        ),
    ] = "messages",
    profile: Annotated[
        str,
        typer.Option(
            help="The ranking profile that mnema is asked with: default, neuromem, or a TOML file "
            "of one, as the fit suite writes it. Default: the system's.",
            show_default=False,
        ),
    ] = "",
) -> None:
    """How much of the evidence is found: transcripts go in, their questions are asked.

    A file is a user. Its turns go in by IngestBatch in their order; each question is asked by
    its text alone. R@k is the share of a question's evidence among the first k results,
    averaged over the questions; questions without evidence and those of category 5, which have
    no answer, are left out. tokens@10 is how long the first ten results are.
    """
    options = quality_suite.Quality(
        tuple(folders),
        _one_of(engine, get_args(EngineName), "--engine"),
        _one_of(source, get_args(Source), "--source"),
        _numbers(k, "--k"),
        profile,
    )
    _run(quality_suite.run(options))


@app.command()
def fit(
    short: Annotated[
        list[Path],
        typer.Option(
            help="A folder of transcripts whose turns are short (chat), as the quality suite "
            "reads it; give it again for more.",
            exists=True,
            file_okay=False,
        ),
    ],
    long: Annotated[
        list[Path],
        typer.Option(
            help="The same of long turns (with an assistant).", exists=True, file_okay=False
        ),
    ],
) -> None:
    """Fit a ranking profile: what each signal should count, such that evidence ranks high.

    Transcripts go in as in the quality suite and are extracted; each question's first 200
    messages are asked for with what every signal says of them. Weights are fitted for short and
    for long separately, judged in sample and by leaving one conversation out, and written to
    build/bench/profile.toml. Try them with [bold]quality --profile build/bench/profile.toml[/].
    """
    _run(fit_suite.run(fit_suite.Fit(tuple(short), tuple(long))))


@app.command()
def latency(
    sizes: Annotated[
        str, typer.Option(help="Memories of the users asked.")
    ] = "100,1000,10000,100000",
    clients: Annotated[str, typer.Option(help="Clients at once.")] = "1,4,16",
    calls: Calls = 200,
    seconds: Annotated[float, typer.Option(help="Longest time for one point.", min=0.1)] = 20.0,
    home: Home = None,
) -> None:
    """How long a recall takes, by the user's size and the number of clients, and in what stages.

    Each point is measured through the gateway and straight at the recall service. Then the
    system is started again with traces, which cost time themselves, and each stage's share of
    a call is shown: its time, and the part of it that no stage below it covers.
    """
    options = latency_suite.Latency(
        _numbers(sizes, "--sizes"), _numbers(clients, "--clients"), calls, seconds, home
    )
    _run(latency_suite.run(options))


@app.command()
def ingest(
    messages: Annotated[int, typer.Option(help="Messages in batches of 100.", min=100)] = 5_000,
    singles: Annotated[
        int, typer.Option(help="Messages one by one, for each number of clients.", min=16)
    ] = 1_000,
    quiet: Annotated[
        float, typer.Option(help="Seconds of recalls while nothing else happens.", min=1)
    ] = 10.0,
    home: Home = None,
) -> None:
    """How fast messages are taken in, and what that does to recalls at the same time.

    Acknowledged: stored and found by their words. Embedded: found by their meaning. Extracted:
    memories made of them. Each a second, from the first call to the last message.
    """
    _run(ingest_suite.run(ingest_suite.Ingest(messages, singles, quiet, home)))


@app.command()
def scale(
    totals: Annotated[
        str, typer.Option(help="Memories of all users together.")
    ] = "10000,100000,1000000",
    user: Annotated[int, typer.Option(help="Memories of the user asked.", min=1)] = 1_000,
    calls: Calls = 300,
    home: Home = None,
) -> None:
    """Whether a user pays for others: the same user's recalls while the tables grow.

    At the end, what every part of the system holds in memory.
    """
    options = scale_suite.Scale(_numbers(totals, "--totals"), user, calls=calls, home=home)
    _run(scale_suite.run(options))


@app.command()
def giant(
    memories: Annotated[int, typer.Option(help="Memories of the user.", min=1_000)] = 1_000_000,
    calls: Calls = 200,
    home: Home = None,
) -> None:
    """One user of a million memories: loading, recalls, and whether the nearest are found.

    The vector arm's answers are compared with those of comparing every vector.
    """
    _run(giant_suite.run(giant_suite.Giant(memories, calls, home=home)))


@app.command("all")
def every(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(help="Folders of transcripts; without any, quality is left out."),
    ] = None,
) -> None:
    """Every suite in turn, as each is by default: the better part of an hour."""
    if folders:
        _run(quality_suite.run(quality_suite.Quality(tuple(folders))))
    _run(latency_suite.run(latency_suite.Latency()))
    _run(ingest_suite.run(ingest_suite.Ingest()))
    _run(scale_suite.run(scale_suite.Scale()))
    _run(giant_suite.run(giant_suite.Giant()))


def _numbers(text: str, option: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(each) for each in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1:
        raise typer.BadParameter("numbers above 0, like 1,4,16", param_hint=option)
    return numbers


def _one_of(given: str, names: tuple[Name, ...], option: str) -> Name:
    for name in names:
        if name == given:
            return name
    raise typer.BadParameter(f"one of {', '.join(names)}", param_hint=option)


def _run(work: Coroutine[Any, Any, object]) -> None:
    try:
        asyncio.run(work)
    except (EmbeddedError, FitError, ProfileError, TranscriptError) as error:
        console.print(f"[red]error:[/] {escape(str(error))}", highlight=False)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    sys.exit(app())
