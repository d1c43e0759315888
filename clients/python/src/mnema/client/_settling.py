"""How long to wait for extraction, and when to look again."""

import time
from dataclasses import asdict

import grpc

from mnema.client.errors import DeadlineExceeded, ErrorDetails
from mnema.client.models import IngestStatus

FIRST_PAUSE = 0.1  # seconds
LONGEST_PAUSE = 2.0


class Settling:
    """The pauses between looks: from 0.1 s, growing by half, to 2 s."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._pause = FIRST_PAUSE

    def pause(self, status: IngestStatus) -> float:
        """Seconds until the next look.

        Raises:
            DeadlineExceeded: the time is up, and the status is not settled.
        """
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            waiting = {name: str(number) for name, number in asdict(status).items()}
            raise DeadlineExceeded(
                grpc.StatusCode.DEADLINE_EXCEEDED,
                f"not everything is in memory after {self._timeout:g} s: "
                f"{status.pending_messages} messages, {status.running_extractions} extractions "
                f"and {status.pending_embeddings} embeddings still wait",
                ErrorDetails(reason="EXTRACTION_PENDING", metadata=waiting),
            )
        pause = min(self._pause, remaining)
        self._pause = min(LONGEST_PAUSE, self._pause * 1.5)
        return pause
