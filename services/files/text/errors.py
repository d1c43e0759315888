"""Why no text could be taken out of a file. All are the caller's to mend.

MnemaError
└── FileRejected
    ├── FileEmpty             no bytes at all
    ├── FileTooLarge          more bytes, pages or unpacked bytes than allowed
    │   └── TextTooLarge      more characters of text than allowed
    ├── UnsupportedFileType   no format we read
    ├── FileBroken            not what its name says, or damaged
    └── FileEncrypted         needs a password
"""

from services.runtime.errors import InvalidArgument, MnemaError


class FileRejected(MnemaError):
    """The file cannot be read. Metadata always names the `file`."""

    code = InvalidArgument.code
    default_reason = "FILE_BROKEN"

    def __init__(self, filename: str, complaint: str, **metadata: str) -> None:
        """`complaint` follows the file's name in the message."""
        super().__init__(f"{filename!r} {complaint}", metadata={"file": filename, **metadata})
        self.filename = filename
        self.complaint = complaint


class FileEmpty(FileRejected):
    """The file has no bytes."""

    default_reason = "FILE_EMPTY"


class FileTooLarge(FileRejected):
    """Metadata: `size` and `limit`, in the unit the message names."""

    default_reason = "FILE_TOO_LARGE"


class TextTooLarge(FileTooLarge):
    """The text in the file is longer than allowed, in characters."""


class UnsupportedFileType(FileRejected):
    """Metadata: `file_type`, the MIME type as far as it is known."""

    default_reason = "FILE_TYPE_UNSUPPORTED"


class FileBroken(FileRejected):
    """The file is damaged or is not what its name says."""

    default_reason = "FILE_BROKEN"


class FileEncrypted(FileRejected):
    """The file opens with a password only."""

    default_reason = "FILE_ENCRYPTED"


BY_NAME: dict[str, type[FileRejected]] = {
    each.__name__: each
    for each in (
        FileEmpty, FileTooLarge, TextTooLarge, UnsupportedFileType, FileBroken, FileEncrypted
    )
}  # fmt: skip
