"""Where a sample of a documentation runs: the names it leaves open, and what it prints."""

import ast
import contextlib
import gc
import inspect
import io
import warnings
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mnema.client import AsyncMnema

SAMPLES = Path(__file__).parent / "neuromem_samples"
USER = "alice"


@dataclass
class World:
    """One sample's names. `nm` is a client of a tenant whom nobody else has."""

    nm: AsyncMnema
    names: dict[str, Any] = field(default_factory=dict)
    output: io.StringIO = field(default_factory=io.StringIO)

    def __getitem__(self, name: str) -> Any:
        return self.names[name]

    @property
    def printed(self) -> str:
        """What was printed so far."""
        return self.output.getvalue()

    async def says(self, *contents: str) -> None:
        """Alice says it, and it is in memory."""
        for content in contents:
            await self.nm.ingest(USER, "user", content, "before")
        await self.nm.wait_until_extracted(USER)


# What is to be before a sample runs, and what has to hold then: it yields once, between them.
Case = Callable[[World], AsyncIterator[None]]
CASES: dict[str, Callable[[World], AbstractAsyncContextManager[None]]] = {}


def case(function: Case) -> Case:
    """Registers the case of the sample of the function's name."""
    CASES[function.__name__] = asynccontextmanager(function)
    return function


async def run(sample: str, world: World) -> None:
    """Runs a sample as it stands, within its case. Nothing that is awaitable may be forgotten."""
    source = (SAMPLES / f"{sample}.py").read_text()
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile(source, f"{sample}.py", "exec", flags=flags, dont_inherit=True)
    with contextlib.redirect_stdout(world.output):
        async with CASES[sample](world):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                outcome = eval(code, world.names)
                if inspect.isawaitable(outcome):
                    await outcome
                gc.collect()
            forgotten = [str(each.message) for each in caught if "awaited" in str(each.message)]
            assert forgotten == []


def keys(result: Mapping[str, Any]) -> set[str]:
    """The keys of what a call returned."""
    assert isinstance(result, Mapping)
    return set(result)
