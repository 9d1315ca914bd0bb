"""Declare columns of a host application that refer to photos."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from safelight.library.lifecycle import LibraryLifecycle
from safelight.models import Photo

if TYPE_CHECKING:
    from sqlalchemy.orm import MappedColumn

    from safelight.library.attachments import OwnerOfRow


class ColumnMethods(LibraryLifecycle):
    """The methods about rows of a host application."""

    def photo_column(
        self,
        *,
        owner: "OwnerOfRow",
        check: Callable[[Photo], object] | None = None,
        ondelete: str = "SET NULL",
        **options: Any,
    ) -> "MappedColumn[Any]":
        """Return a mapped column of SQLAlchemy for the id of a photo, with a foreign key.

        ``avatar_id: Mapped[int | None] = library.photo_column(owner="name")``. When a session
        deletes the row, or replaces the id, the photo is deleted for good in the same transaction,
        unless another foreign key refers to it; after a rollback it stays. A job deletes its
        objects some seconds after the commit. A flush raises NotFound for an id that is no photo of
        the row's owner.

        `owner` is the name of the row's attribute with the photo's owner, or a function that takes
        the row and returns it. `check` gets each photo that a row is about to refer to, and raises
        an exception, such as InvalidRequest, for one that may not be in this column. `ondelete` is
        what happens to the row of a photo that you delete. `options` are those of `mapped_column`;
        `index` is true. It works in an `AsyncSession` and a `Session`, whether the library is
        started or not, in READ COMMITTED transactions. In a `Session`, hooks of `on_deleted` are a
        UsageError. Statements for many rows, such as ``delete(User)``, leave the photos to
        `unattached`.
        """
        from safelight.library.attachments import make_photo_column

        return make_photo_column(self, owner, check=check, ondelete=ondelete, **options)
