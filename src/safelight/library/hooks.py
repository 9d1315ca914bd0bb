"""Functions of an embedding program that run when photos are added or deleted."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from safelight.models import Photo

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from safelight.catalog import PhotoHook

Hook = Callable[[Photo, "AsyncConnection"], Awaitable[None]]
"""A function that takes the photo, and the connection of the transaction that changes it."""

HookT = TypeVar("HookT", bound=Hook)


class Hooks:
    """The hooks of one library, in the order of their registration."""

    def __init__(self) -> None:
        self.added: list[PhotoHook] = []
        self.deleted: list[PhotoHook] = []


def as_photo_hook(hook: Hook) -> "PhotoHook":
    """Return the hook as the catalog calls it."""

    async def run(connection: "AsyncConnection", photo: Photo) -> None:
        from safelight.catalog.host.hooks import HookError

        try:
            await hook(photo, connection)
        except Exception as error:
            if connection.invalidated:  # the catalog's own connection is lost
                raise
            raise HookError(error) from error

    return run
