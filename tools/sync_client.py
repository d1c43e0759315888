#!/usr/bin/env python3
"""Writes the synchronous Python client from the asynchronous one.

    python tools/sync_client.py            writes clients/python/src/mnema/client/_sync
    python tools/sync_client.py --check    fails if what is committed there is behind

The source is ours and plain, so whole words are exchanged, in docstrings too: their examples
become examples of the synchronous client. `transport.py` is written by hand on both sides.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "clients/python/src/mnema/client"
SOURCE, TARGET = PACKAGE / "_async", PACKAGE / "_sync"
BY_HAND = {"transport.py"}
HEADER = "# Written by tools/sync_client.py from _async/{name}: change that file, not this one.\n"

EXCHANGES = [
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\b__a(enter|exit|iter|next)__\b", r"__\1__"),
    (r"\baclosing\b", "closing"),
    (r"\bAsync([A-Z])", r"\1"),
    (r"\b_async\b", "_sync"),
    (r"\bThe asynchronous client: the source of the synchronous one\.", "The synchronous client."),
    # True of one side only.
    (r"    Mnema belongs to the event loop of its first call; Mnema may", "    Mnema may"),
]


def synchronous(name: str, source: str) -> str:
    """The synchronous form of one asynchronous module, formatted."""
    for pattern, replacement in EXCHANGES:
        source = re.sub(pattern, replacement, source)
    left = re.search(r"\b(async|await|asyncio|\w*Async[A-Z]\w*)\b", source)
    if left:
        raise SystemExit(f"_async/{name}: {left[0]!r} has no synchronous form")
    for command in (["check", "--quiet", "--select", "I", "--fix"], ["format", "--quiet"]):
        path = TARGET / name  # tells ruff whose settings hold
        run = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(path), "-"]
        done = subprocess.run(run, input=source, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise SystemExit(f"ruff can't read what became of _async/{name}:\n{done.stderr}")
        source = done.stdout
    return HEADER.format(name=name) + source


def main() -> int:
    """Writes or checks; returns the exit code."""
    parser = argparse.ArgumentParser(description="Writes the synchronous client.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if it is behind")
    check = parser.parse_args().check
    wanted = {
        path.name: synchronous(path.name, path.read_text(encoding="utf-8"))
        for path in sorted(SOURCE.glob("*.py"))
        if path.name not in BY_HAND
    }
    present = {path.name for path in TARGET.glob("*.py")} - BY_HAND
    behind = [
        name
        for name, text in wanted.items()
        if name not in present or (TARGET / name).read_text(encoding="utf-8") != text
    ]
    surplus = sorted(present - wanted.keys())
    if check and (behind or surplus):
        print("The synchronous client is behind: run python tools/sync_client.py")  # noqa: T201
        print("".join(f"  _sync/{name}\n" for name in [*behind, *surplus]), end="")  # noqa: T201
        return 1
    if not check:
        for name in behind:
            (TARGET / name).write_text(wanted[name], encoding="utf-8")
        for name in surplus:
            (TARGET / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
