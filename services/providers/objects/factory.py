"""The object storage that the settings ask for."""

import importlib
from contextlib import AsyncExitStack
from pathlib import Path

from services.providers.objects.folder import FolderStorage
from services.providers.objects.settings import ObjectSettings
from services.providers.objects.storage import ObjectStorage


def new_object_storage(settings: ObjectSettings) -> ObjectStorage:
    """Return the storage, not yet opened: `await storage.init()` comes next.

    Raises:
        ValueError: The settings name no provider that can be had, or lack a folder.
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
        case path:
            return _imported(path, settings)


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


def _imported(path: str, settings: ObjectSettings) -> ObjectStorage:
    module_name, colon, class_name = path.partition(":")
    if not (module_name and colon and class_name):
        raise ValueError(
            f"object storage provider {path!r}: not folder, s3 or package.module:Class"
        )
    try:
        made = getattr(importlib.import_module(module_name), class_name)(settings)
    except (ImportError, AttributeError) as failure:
        raise ValueError(f"object storage provider {path!r}: {failure}") from failure
    if not isinstance(made, ObjectStorage):
        raise ValueError(f"object storage provider {path!r} is no ObjectStorage")  # noqa: TRY004
    return made
