"""How much an import may bring, and how long it may take."""

from dataclasses import dataclass

from services.runtime.limits import KIB

MIB = KIB * KIB


@dataclass(frozen=True, slots=True)
class ImportLimits:
    """Times are in seconds.

    Of `imports_at_once` imports one file each is in memory; one more is refused. A stream that
    sends nothing for `piece_seconds` is given up. Bytes of an import that was not finished are
    deleted after `sweep_seconds`: by then it must be over, so it takes `import_seconds` at most.
    """

    imports_at_once: int = 2
    piece_seconds: float = 30.0
    import_seconds: float = 3600.0
    sweep_seconds: float = 7800.0
    max_records: int = 2_000_000
    max_file_bytes: int = 32 * MIB
    max_total_bytes: int = 10 * 1024 * MIB
    batch_records: int = 200
    batch_characters: int = 4 * MIB
