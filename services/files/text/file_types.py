"""What a file is: its content decides, and its name must not contradict it."""

import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePosixPath

import filetype

from services.files.text.charset import looks_like_text
from services.files.text.document import FileType
from services.files.text.errors import FileBroken, FileEncrypted, UnsupportedFileType


@dataclass(frozen=True, slots=True)
class Kind:
    """A file's type and its MIME type."""

    file_type: FileType
    mime_type: str


PDF = Kind(FileType.PDF, "application/pdf")
DOCX = Kind(
    FileType.DOCX, "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
)
TXT = Kind(FileType.TXT, "text/plain")
MD = Kind(FileType.MD, "text/markdown")
JSON = Kind(FileType.JSON, "application/json")
CSV = Kind(FileType.CSV, "text/csv")

IMAGE_MIME_TYPES = frozenset(
    {"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "image/tiff"}
)
_IMAGE = Kind(FileType.IMAGE, "image/*")

_BY_EXTENSION: dict[str, Kind] = {
    ".pdf": PDF,
    ".docx": DOCX,
    ".md": MD,
    ".markdown": MD,
    ".json": JSON,
    ".csv": CSV,
    ".tsv": CSV,
    ".txt": TXT,
    ".text": TXT,
    ".log": TXT,
} | dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff"), _IMAGE)

_BY_MIME_TYPE: dict[str, Kind] = {kind.mime_type: kind for kind in (MD, JSON, CSV, TXT)} | {
    "text/x-markdown": MD,
    "text/tab-separated-values": CSV,
}

_TEXTUAL = frozenset({FileType.TXT, FileType.MD, FileType.JSON, FileType.CSV})
_COMPOUND_FILE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Text to the eye, but not to be read as such.
_MARKUP_MIME_TYPES = frozenset({"application/rtf", "application/postscript"})
_PDF_HEADER_WITHIN = 1024
_MAGIC_BYTES = 8192


def kind_of(filename: str, data: bytes, declared_mime: str = "") -> Kind:
    """Return what the file is.

    Magic bytes tell PDF, DOCX and images. Text has none, so among texts the extension
    decides, then the declared MIME type, else it is plain text.

    Raises:
        FileBroken: The name says one thing and the content another ("a.pdf" holds text).
        FileEncrypted: A password-protected Office document.
        UnsupportedFileType: Content of a kind that is not read.
    """
    named = _BY_EXTENSION.get(PurePosixPath(filename.replace("\\", "/")).suffix.lower())
    found = _by_content(filename, data, named)
    if found is None:
        if not looks_like_text(data):
            raise _unreadable(filename, named, declared_mime or "application/octet-stream")
        declared = declared_mime.partition(";")[0].strip().lower()
        found = named or _BY_MIME_TYPE.get(declared, TXT)
        if found.file_type not in _TEXTUAL:
            raise _mismatch(filename, found, "text")
    elif named and named.file_type is not found.file_type:
        raise _mismatch(filename, named, found.mime_type)
    return found


def _by_content(filename: str, data: bytes, named: Kind | None) -> Kind | None:
    """The kind by magic bytes; None when it has none, as text."""
    # Some writers put bytes before the header, but a text may also speak of "%PDF-".
    header = data[:_PDF_HEADER_WITHIN].find(b"%PDF-")
    if header == 0 or (header > 0 and named is PDF):
        return PDF
    if data.startswith(_COMPOUND_FILE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise FileEncrypted(filename, "is protected by a password")
        raise UnsupportedFileType(
            filename, "is an old Office document", file_type="application/x-ole-storage"
        )
    if data.startswith(b"PK\x03\x04"):
        return _zipped(filename, data)
    guess = filetype.guess(data[:_MAGIC_BYTES])
    # "BM" opens a bitmap, and also a sentence about a car maker.
    if guess is None or (looks_like_text(data) and guess.mime not in _MARKUP_MIME_TYPES):
        return None
    if guess.mime in IMAGE_MIME_TYPES:
        return Kind(FileType.IMAGE, guess.mime)
    raise UnsupportedFileType(filename, f"is of type {guess.mime}", file_type=guess.mime)


def _zipped(filename: str, data: bytes) -> Kind:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as failure:
        raise FileBroken(filename, "is a damaged archive") from failure
    if "word/document.xml" in names:
        return DOCX
    raise UnsupportedFileType(
        filename, "is an archive, not a Word document", file_type="application/zip"
    )


def _unreadable(
    filename: str, named: Kind | None, mime_type: str
) -> FileBroken | UnsupportedFileType:
    if named:
        return _mismatch(filename, named, "unknown binary data")
    return UnsupportedFileType(filename, "is of no type that is read", file_type=mime_type)


def _mismatch(filename: str, named: Kind, found: str) -> FileBroken:
    return FileBroken(
        filename,
        f"should be {named.mime_type} by its name, but holds {found}",
        expected=named.mime_type,
        found=found,
    )
