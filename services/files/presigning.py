"""Who serves a link: the object storage where it can, else the files service."""

from services.contract.user import User
from services.files.links import Links
from services.providers.objects.storage import ObjectStorage
from services.runtime.errors import FailedPrecondition
from services.storage.documents import DocumentRow


class Presigning:
    """Makes links to files."""

    def __init__(self, objects: ObjectStorage, links: Links) -> None:
        self._objects = objects
        self._links = links

    async def url(self, owner: User, document: DocumentRow, seconds: int) -> tuple[str, int]:
        """A link that works for `seconds`, and when it ends in seconds since 1970.

        FailedPrecondition (NOT_SUPPORTED) if neither the storage nor the service can be reached
        by a link.
        """
        # Taken first: until this moment the link works for certain.
        expires = self._links.expiry(seconds)
        if document.object_key:
            try:
                return await self._objects.get_presigned_url(document.object_key, seconds), expires
            except FailedPrecondition as refusal:
                if refusal.reason != "NOT_SUPPORTED":
                    raise
        return self._links.url(owner, document.file_id, expires), expires
