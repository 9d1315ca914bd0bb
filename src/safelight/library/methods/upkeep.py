"""Make missing renditions, and inspect originals again."""

from safelight.library.lifecycle import LibraryLifecycle
from safelight.library.results import JobBatch
from safelight.models import Photo


class UpkeepMethods(LibraryLifecycle):
    """The methods that bring stored photos up to date."""

    async def render(self, owner: str, id_: int) -> Photo:
        """Make the renditions that a photo lacks; repeating it does no harm. Raises NotFound."""
        return await self.components.renditions.render_missing(
            await self.backends.catalog.photo(owner, id_)
        )

    async def reinspect(self, owner: str, id_: int) -> Photo:
        """Inspect an original that an earlier version inspected, and return its photo.

        What the owner has edited stays. Raises NotFound.
        """
        return await self.components.reinspection.run(owner, id_)

    async def reinspect_outdated(self, owner: str, *, after: int = 0) -> JobBatch:
        """Enqueue jobs that inspect originals which an earlier version inspected, a batch per call.

        Continue with `after=batch.next` until that is None.
        """
        from safelight.library.tasks import enqueue_reinspections

        return await enqueue_reinspections(self.backends.catalog, owner, after=after)

    async def render_missing(self, owner: str, *, after: int = 0) -> JobBatch:
        """Enqueue jobs for the renditions that the owner's photos lack, a batch per call.

        Continue with `after=batch.next` until that is None.
        """
        from safelight.library.tasks import enqueue_missing_renditions

        return await enqueue_missing_renditions(
            self.backends.catalog, self.components.renditions, owner, after=after
        )
