"""Places in the order of events as the contract has them: opaque texts.

A cursor is not sealed: it grants nothing, and what is read from it is decided by the key.
"""

import base64
import hashlib
import struct
from datetime import UTC, datetime, timedelta

from services.runtime.errors import invalid
from services.storage.events import Position

_FORM = struct.Struct(">BQQQ")  # version, txid, sequence, microseconds since 1970
_VERSION = 1
_CHECK_BYTES = 2
_MOST = 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def cursor_of(position: Position) -> str:
    """The text of a place."""
    micros = (position.at - _EPOCH) // timedelta(microseconds=1)
    body = _FORM.pack(_VERSION, position.txid, position.sequence, micros)
    return base64.urlsafe_b64encode(body + _check(body)).decode()


def position_of(cursor: str) -> Position:
    """The place of a text; InvalidArgument (FIELD_MALFORMED) if it is not one of ours."""
    try:
        raw = base64.b64decode(cursor, altchars=b"-_", validate=True)
        body, check = raw[:-_CHECK_BYTES], raw[-_CHECK_BYTES:]
        version, txid, sequence, micros = _FORM.unpack(body)
        at = _EPOCH + timedelta(microseconds=micros)
    except (ValueError, struct.error, OverflowError):
        raise _refusal() from None
    if check != _check(body) or version != _VERSION or max(txid, sequence) > _MOST:
        raise _refusal()
    return Position(txid, sequence, at)


def _check(body: bytes) -> bytes:
    """Catches what was cut off or changed by mistake."""
    return hashlib.blake2b(body, digest_size=_CHECK_BYTES).digest()


def _refusal() -> Exception:
    return invalid("cursor", "is not a cursor of events", "FIELD_MALFORMED")
