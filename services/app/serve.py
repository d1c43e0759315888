"""`python -m services.app.serve TARGET …`: serve, without the rest of the command line.

What the supervisor and the container start: it imports neither the terminal's libraries
nor other targets, so a process stays small.
"""

import os
import sys

from services.app.settings import Settings, misspelt_variables
from services.app.targets import PUBLIC_SERVICES, TARGETS, builder_of, import_stubs
from services.runtime.priority import lower_process
from services.runtime.server import run_target


def serve(names: list[str], settings: Settings) -> int:
    """Serves the targets until SIGTERM or SIGINT; the process's exit code."""
    import_stubs()
    if names == ["worker"]:
        # Beside other targets in one process it would slow them down with it.
        lower_process(settings.worker.niceness)
    return run_target(builder_of(names), settings, reflected=PUBLIC_SERVICES)


def main() -> int:
    """The targets are the arguments; everything else is in the environment."""
    names = sys.argv[1:]
    wrong = sorted(set(names) - set(TARGETS))
    if not names or wrong:
        print(f"give targets among: {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    if misspelt := misspelt_variables(os.environ):
        print(f"no such settings: {', '.join(misspelt)}", file=sys.stderr)
        return 2
    return serve(names, Settings())


if __name__ == "__main__":
    sys.exit(main())
