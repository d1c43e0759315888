"""How a file goes into the child process that reads it, and how its text comes back.

In: one line of JSON (filename, declared MIME type), then the bytes. Out: one JSON object,
either the text or the name of the error. Plain data only: a parser that hostile input has
taken over must not be able to send us an object to unpickle.
"""

import json
from typing import Any

from services.files.text.document import ExtractedText, FileType, Page
from services.files.text.errors import BY_NAME, FileRejected


def pack_file(filename: str, data: bytes, declared_mime: str) -> bytes:
    """Return what the child reads from its standard input."""
    return json.dumps([filename, declared_mime]).encode() + b"\n" + data


def unpack_file(packed: bytes) -> tuple[str, bytes, str]:
    """Return (filename, data, declared MIME type)."""
    head, _, data = packed.partition(b"\n")
    filename, declared_mime = json.loads(head)
    return filename, data, declared_mime


def pack_text(extracted: ExtractedText) -> bytes:
    """Return what the child answers when all went well."""
    answer = {
        "file_type": extracted.file_type.value,
        "mime_type": extracted.mime_type,
        "pages": [[page.number, page.text] for page in extracted.pages],
        "unreadable_pages": extracted.unreadable_pages,
    }
    return json.dumps(answer, ensure_ascii=False).encode()


def pack_rejection(rejected: FileRejected) -> bytes:
    """Return what the child answers when the file is at fault."""
    metadata = {key: value for key, value in rejected.metadata.items() if key != "file"}
    answer = {
        "rejected": type(rejected).__name__,
        "complaint": rejected.complaint,
        "metadata": metadata,
    }
    return json.dumps(answer).encode()


def unpack_text(filename: str, packed: bytes) -> ExtractedText:
    """Return the text the child found, or raise the rejection it answered.

    Raises:
        FileRejected: As the child says.
        ValueError, LookupError, TypeError: The answer is none of ours.
    """
    answer: dict[str, Any] = json.loads(packed)
    if "rejected" in answer:
        raise BY_NAME[answer["rejected"]](filename, answer["complaint"], **answer["metadata"])
    return ExtractedText(
        FileType(answer["file_type"]),
        str(answer["mime_type"]),
        tuple(Page(number, str(text)) for number, text in answer["pages"]),
        tuple(map(int, answer["unreadable_pages"])),
    )
