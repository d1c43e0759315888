"""What can go wrong while the parts of one machine are started and kept alive."""


class EmbeddedError(Exception):
    """The base. The message says what to do about it, in words for the person at the terminal."""


class AlreadyRunning(EmbeddedError):
    """Another living process holds this folder."""


class PortTaken(EmbeddedError):
    """Somebody else listens on the port the gateway was told to use."""


class StartFailed(EmbeddedError):
    """A part ended, or did not become ready in time. `log_tail` holds its last words."""

    def __init__(self, part: str, reason: str, log_tail: str = "") -> None:
        message = f"{part}: {reason}"
        super().__init__(f"{message}\n{log_tail}" if log_tail else message)
        self.part = part
        self.reason = reason
        self.log_tail = log_tail


class PostgresError(EmbeddedError):
    """PostgreSQL's folder, account or binaries are not as they must be."""


class GatewayError(EmbeddedError):
    """The gateway's configuration cannot be built from what was given."""
