"""Reading files from strangers without letting one hang or crash the service."""

import asyncio
import math
import os
import sys

from services.files.text.document import MAX_FILE_BYTES, ExtractedText, FileType
from services.files.text.errors import FileBroken, FileRejected
from services.files.text.extraction import extract_text
from services.files.text.file_types import kind_of
from services.files.text.wire import pack_file, unpack_text
from services.runtime.errors import Internal

# A small text is read in a thread in milliseconds; starting a process costs more.
_SMALL_BYTES = 256 * 1024
_PARSED = frozenset({FileType.PDF, FileType.DOCX})
_STDERR_TAIL = 2_000


class SafeExtraction:
    """Takes text out of files, a few at a time, each within a time limit.

    PDF, DOCX and long texts are read in a child process of their own, which is killed when
    it takes too long or its caller gives up; short texts in a thread. Belongs to the event
    loop it is first used in.

    Args:
        parallel: Files read at once; more of them wait. Default 2.
        timeout: Seconds one file may take once its turn has come. Default 60.
    """

    def __init__(self, parallel: int = 2, timeout: float = 60.0) -> None:
        self._turns = asyncio.Semaphore(parallel)
        self._timeout = timeout

    async def extract_text_safely(
        self, filename: str, data: bytes, declared_mime: str = ""
    ) -> ExtractedText:
        """Do as `extract_text` does, bounded in time and memory.

        Raises:
            FileRejected: The file is at fault; FileBroken too when it takes longer than
                the time limit or crashes the parser.
            Internal: The child process failed for another reason.
        """
        async with self._turns:
            light = await asyncio.to_thread(_extract_light, filename, data, declared_mime)
            if light is not None:
                return light
            try:
                async with asyncio.timeout(self._timeout):
                    return await self._in_child(filename, data, declared_mime)
            except TimeoutError as late:
                raise FileBroken(
                    filename,
                    f"could not be read within {self._timeout:g} seconds",
                    timeout_seconds=f"{self._timeout:g}",
                ) from late

    async def _in_child(self, filename: str, data: bytes, declared_mime: str) -> ExtractedText:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # the working directory must not offer modules
            "-m",
            "services.files.text.child",
            str(math.ceil(self._timeout) + 1),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "LC_ALL": "C.UTF-8"},
        )
        try:
            answer, noise = await child.communicate(pack_file(filename, data, declared_mime))
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        return _understood(filename, child.returncode, answer, noise)


def _extract_light(filename: str, data: bytes, declared_mime: str) -> ExtractedText | None:
    """Read what is read at once: errors of size and type, images, small texts."""
    if not data or len(data) > MAX_FILE_BYTES:
        return extract_text(filename, data, declared_mime)
    file_type = kind_of(filename, data, declared_mime).file_type
    heavy = file_type in _PARSED or (file_type is not FileType.IMAGE and len(data) > _SMALL_BYTES)
    return None if heavy else extract_text(filename, data, declared_mime)


def _understood(filename: str, exit_code: int | None, answer: bytes, noise: bytes) -> ExtractedText:
    if exit_code is not None and exit_code < 0:
        raise FileBroken(filename, f"crashed its parser (signal {-exit_code})")
    try:
        return unpack_text(filename, answer)
    except FileRejected:
        raise
    except (ValueError, LookupError, TypeError) as failure:
        tail = noise[-_STDERR_TAIL:].decode(errors="replace")
        raise Internal(f"reading {filename!r} failed, exit code {exit_code}: {tail}") from failure
