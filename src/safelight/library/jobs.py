"""The jobs of a library, for operators."""

from collections.abc import Sequence

from safelight.catalog import Catalog
from safelight.jobs import JobList, JobState, count_jobs, list_jobs, retry_jobs


class Jobs:
    """Lists, counts and retries jobs, of all owners."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def list(self, *, task: str | None = None) -> JobList:
        """List the jobs that wait, are late, run or have failed."""
        return await self._catalog.read(lambda connection: list_jobs(connection, task=task))

    async def count(self) -> dict[JobState, int]:
        """Count the jobs in each state."""
        return await self._catalog.read(count_jobs)

    async def retry(self, ids: Sequence[int] | None = None) -> Sequence[int]:
        """Retry failed jobs, all of them if `ids` is None; returns the ids of those retried."""
        return await self._catalog.transaction(lambda connection: retry_jobs(connection, ids))
