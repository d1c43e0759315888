"""Between the contract's receipts and the rows that they are stored as."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from mnema.v1 import lifecycle_service_pb2 as pb
from services.storage.deletions import DeletionRow

FORMAT = "mnema.export"
VERSION = 1


def deletion_message(row: DeletionRow) -> pb.Deletion:
    """A receipt."""
    done = row.finished_at is not None
    return pb.Deletion(
        deletion_id=str(row.deletion_id),
        state=pb.Deletion.STATE_DONE if done else pb.Deletion.STATE_DELETING_FILES,
        deleted=dict(row.counts),
        objects_pending=row.objects_pending,
        objects_deleted=row.objects_deleted,
        deleted_at=timestamp(row.recorded_at),
        finished_at=timestamp(row.finished_at) if row.finished_at else None,
        expires_at=timestamp(row.expires_at),
    )


def timestamp(moment: datetime) -> Timestamp:
    """The moment as the contract has it."""
    made = Timestamp()
    made.FromDatetime(moment)
    return made
