"""Make missing renditions, and inspect originals again."""

from safelight.library.lifecycle import LibraryLifecycle
from safelight.library.results import JobBatch, PrunedBatch
from safelight.models import Photo


class UpkeepMethods(LibraryLifecycle):
    """The methods that bring stored photos up to date."""

    async def render(self, owner: str, id_: int, *, demanded: bool = False) -> Photo:
        """Make the renditions that a photo lacks; repeating it does no harm. Raises NotFound.

        With `demanded`, also those that are made on demand.
        """
        return await self.components.renditions.render_missing(
            await self.backends.catalog.photo(owner, id_), demanded=demanded
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

    async def render_missing(
        self, owner: str, *, after: int = 0, demanded: bool = False
    ) -> JobBatch:
        """Enqueue jobs for the renditions that the owner's photos lack, a batch per call.

        With `demanded`, also for those that are made on demand. Continue with `after=batch.next`
        until that is None.
        """
        from safelight.library.tasks import enqueue_missing_renditions

        return await enqueue_missing_renditions(
            self.backends.catalog,
            self.components.renditions,
            owner,
            after=after,
            demanded=demanded,
        )

    async def prune_renditions(
        self, owner: str, *, after: int = 0, apply: bool = False
    ) -> PrunedBatch:
        """Remove the renditions that no preset names from the owner's photos, a batch per call.

        Links to them die. Without `apply`, they are only counted. A photo that lacks other
        renditions keeps them: make those first. Continue with `after=batch.next` until that is
        None.
        """
        return await self.components.pruning.run(owner, after=after, apply=apply)
