"""How a transaction opens: the statements that say whom it acts for, and how it is planned."""

import re
from collections.abc import Sequence
from typing import Literal

Isolation = Literal["read_committed", "repeatable_read", "serializable"]

SETTINGS = (
    "mnema.tenant",
    "mnema.owner",
    "mnema.admin",
    "mnema.queue",
    "mnema.key_hash",
    "plan_cache_mode",
    "statement_timeout",
)
"""What each transaction sets, until its end."""

_SET_SETTINGS = "SELECT " + ", ".join(
    f"set_config('{name}', ${at}, true)" for at, name in enumerate(SETTINGS, 1)
)
# A user's writers hold this together; who erases the user holds it alone, and so meets none of
# them half-way (services/storage/owner_tables.py).
_HOLD_OWNER = (
    ", CASE WHEN $2 <> '' THEN pg_advisory_xact_lock_shared(hashtextextended($2, 2))::text END"
)
# The few rows that are asked for by their keys are read by their keys, be the tables as small or
# as little counted as they may; nothing is compiled.
_BY_KEYS = ("enable_seqscan", "enable_bitmapscan", "enable_sort", "enable_hashjoin", "jit")
SET_BY_KEYS = "".join(f", set_config('{name}', 'off', true)" for name in _BY_KEYS)
_BEGIN = "BEGIN ISOLATION LEVEL"
# What settings are made of: nothing that a literal would have to escape.
_PLAIN = re.compile(r"[0-9A-Za-z_-]*")


def settings_statement(*, by_keys: bool) -> str:
    """For a writing transaction: sets SETTINGS, its parameters, and holds the owner, if any.

    `by_keys` also keeps the planner from reading other ways.
    """
    return _SET_SETTINGS + _HOLD_OWNER + (SET_BY_KEYS if by_keys else "")


def reading_script(isolation: Isolation, values: Sequence[str], *, by_keys: bool) -> str:
    """Begins a read-only transaction and sets SETTINGS to `values`, in one round trip.

    A script takes no parameters. ValueError for a value of other characters than letters,
    digits, hyphens and underscores.
    """
    if not all(map(_PLAIN.fullmatch, values)):
        raise ValueError("a setting is not made of letters, digits, hyphens and underscores")
    level = isolation.upper().replace("_", " ")
    pairs = zip(SETTINGS, values, strict=True)
    assignments = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in pairs)
    return f"{_BEGIN} {level} READ ONLY; SELECT {assignments}" + (SET_BY_KEYS if by_keys else "")


def without_values(statement: str) -> str:
    """A statement as it may be logged: of a reading script what it begins with, not its values."""
    return statement.partition(";")[0] if statement.startswith(_BEGIN) else statement
