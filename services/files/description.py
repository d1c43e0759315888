"""What a caller says of the file that comes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Description:
    """What the caller says of a file. `mime_type` may be empty: then it is found.

    `call` are bytes that tell this call from any other, but for the file's content.
    """

    filename: str
    mime_type: str
    category: str
    tags: tuple[str, ...]
    metadata: Mapping[str, Any]
    request_id: str
    call: bytes
