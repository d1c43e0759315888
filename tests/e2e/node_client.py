"""A Node program with stubs generated from the contracts, in a folder that goes away."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.rpc import error_details_pb2

from tests.e2e.environment import CHECKOUT

SOURCES = Path(__file__).parent / "node"
SECONDS = 120


def generate(folder: Path) -> Path:
    """Makes the program ready to run in `folder`; gives its main file."""
    assert (CHECKOUT / "node_modules").is_dir(), "`npm ci` brings what this needs"
    shutil.copytree(CHECKOUT / "protos", folder / "protos")
    # Errors carry these; they belong to googleapis, not to our contracts.
    details = Path(error_details_pb2.__file__).with_name("error_details.proto")
    (folder / "protos" / "google" / "rpc").mkdir()
    shutil.copy(details, folder / "protos" / "google" / "rpc")
    (folder / "buf.yaml").write_text("version: v2\nmodules:\n  - path: protos\n")
    for source in ("buf.gen.yaml", "main_job.mjs"):
        shutil.copy(SOURCES / source, folder)
    (folder / "node_modules").symlink_to(CHECKOUT / "node_modules")
    run(["buf", "generate"], folder)
    return folder / "main_job.mjs"


def run(
    command: list[str], folder: Path = CHECKOUT, environment: Mapping[str, str] | None = None
) -> str:
    """Standard output of a program of node_modules, or of the system; fails with what it said."""
    folders = (CHECKOUT / "node_modules" / ".bin", Path(sys.executable).parent)
    path = os.pathsep.join([*map(str, folders), os.environ["PATH"]])
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **(environment or {}), "PATH": path},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{command[0]}: {done.stderr or done.stdout}"
    return done.stdout


def run_main_job(main: Path, arguments: list[str], messages: tuple[str, ...]) -> dict[str, Any]:
    """What the program found out, as it printed it."""
    printed = run(["node", str(main), *arguments], main.parent, {"MESSAGES": json.dumps(messages)})
    found: dict[str, Any] = json.loads(printed)
    return found
