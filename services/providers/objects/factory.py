"""The object storage that the settings ask for."""

from contextlib import AsyncExitStack
from pathlib import Path

from services.providers.objects.adapted import NEEDED, AdaptedStorage
from services.providers.objects.folder import FolderStorage
from services.providers.objects.settings import ObjectSettings
from services.providers.objects.storage import ObjectStorage
from services.providers.own_class import IMPORT_PATH, make_own


def new_object_storage(settings: ObjectSettings) -> ObjectStorage:
    """Return the storage, not yet opened: `await storage.init()` comes next.

    Raises:
        ValueError: The settings name no provider there is, or lack a folder.
        FailedPrecondition: A class of the user's own cannot be made, or lacks methods.
    """
    match settings.provider:
        case "folder":
            if settings.folder is None:
                raise ValueError("the folder provider needs a folder")
            return FolderStorage(settings.folder)
        case "s3":
            # boto3 takes 0.3 s and 30 MB to load, which a folder's user need not spend.
            from services.providers.objects.s3 import S3Storage  # noqa: PLC0415

            return S3Storage(settings)
        case path if IMPORT_PATH.fullmatch(path):
            return _own(path, settings)
        case other:
            raise ValueError(
                f"object storage provider {other!r}: not folder, s3, aws, minio, obs or "
                "package.module:Class"
            )


async def open_object_storage(
    settings: ObjectSettings, home: Path, stack: AsyncExitStack
) -> ObjectStorage:
    """The storage, ready for use and closed with the stack; a folder is `home`/files unless told.

    ValueError if the settings name none; Internal or Unavailable if it can't be used.
    """
    if settings.provider == "folder" and settings.folder is None:
        settings = settings.model_copy(update={"folder": home / "files"})
    objects = new_object_storage(settings)
    stack.push_async_callback(objects.close)
    await objects.init()
    return objects


def _own(path: str, settings: ObjectSettings) -> ObjectStorage:
    made = make_own(
        "the object storage provider", path, settings.options, {"settings": settings}, NEEDED
    )
    if isinstance(made, ObjectStorage):
        return made
    storage: ObjectStorage = AdaptedStorage(made, path)
    return storage
