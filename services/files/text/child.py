"""The process that reads one file and ends: `python -m services.files.text.child`.

It has no secrets (an empty environment), little memory, little processor time, and can be
killed. Its standard output carries the answer alone; what libraries print goes to stderr.
"""

import os
import resource
import sys

from services.files.text.errors import FileBroken, FileRejected
from services.files.text.extraction import extract_text
from services.files.text.wire import pack_rejection, pack_text, unpack_file

_MEMORY_BYTES = 2 * 1024**3


def main() -> None:
    """Read a file from standard input, write its text to standard output."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    cpu_seconds = int(sys.argv[1])
    # Should the parent die and nobody kill us.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    filename, data, declared_mime = unpack_file(sys.stdin.buffer.read())
    try:
        answer = pack_text(extract_text(filename, data, declared_mime))
    except FileRejected as rejected:
        answer = pack_rejection(rejected)
    except MemoryError:
        answer = pack_rejection(
            FileBroken(filename, "takes too much memory to read", memory_bytes=str(_MEMORY_BYTES))
        )
    with answers:
        answers.write(answer)


if __name__ == "__main__":
    main()
