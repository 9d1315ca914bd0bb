"""Adopt objects that another program has stored in a bucket."""

from datetime import datetime

from safelight.library.lifecycle import LibraryLifecycle
from safelight.library.results import AddResult
from safelight.models import Caption


class AdoptionMethods(LibraryLifecycle):
    """The methods about objects of other programs."""

    async def adopt(
        self,
        owner: str,
        key: str,
        *,
        bucket: str | None = None,
        caption: Caption | None = None,
        created_at: datetime | None = None,
        modified_at: datetime | None = None,
    ) -> AddResult:
        """Make a photo of an object that is in the store already, by another program.

        The library reads the object once and checks it as an upload; then the store copies it to a
        key of the photo's own. The object itself is not changed. `bucket` is another bucket of the
        same store. `created_at` (with a time zone) is when the photo was added; by default now. A
        caption without a file name gets that in the key, without a UUID before it. Repeating a call
        returns the same photo, with `created` false. Raises NotFound if there is no such object, or
        if its photo was deleted since; and what `add` raises.
        """
        source = self.backends.bucket.sibling(bucket) if bucket else None
        try:
            return await self.components.adoption.adopt(
                owner,
                key,
                source=source,
                caption=caption,
                created_at=created_at,
                modified_at=modified_at,
            )
        finally:
            if source:
                await source.close()
