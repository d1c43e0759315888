"""SQL by name: every statement of the product stands in services/storage/sql."""

import re
from pathlib import Path

SQL = Path(__file__).parent / "sql"
HEADING = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


def load(family: str) -> dict[str, str]:
    """The statements of sql/<family>.sql, by the line `-- name: insert_message` above each.

    Loaded once, when the module that uses them is imported; an unknown name is a KeyError there.
    """
    parts = HEADING.split((SQL / f"{family}.sql").read_text())
    return {name: body.strip() for name, body in zip(parts[1::2], parts[2::2], strict=True)}
