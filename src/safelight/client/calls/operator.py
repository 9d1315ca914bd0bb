"""The calls of an operator: sessions, jobs, renditions, reconcile."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

from safelight.client.errors import error_from_problem
from safelight.client.http import ClientConnection, path_of
from safelight.client.responses import (
    EnqueuedBatch,
    JobCounts,
    JobFields,
    PruneCounts,
    SessionFields,
)
from safelight.errors import Unavailable

_SESSIONS: Final = "api/sessions"
_JOBS: Final = "api/jobs"
_MISSING_RENDITIONS: Final = "api/renditions/missing"
_PRUNE: Final = "api/renditions/prune"
_REINSPECTIONS: Final = "api/reinspections"
_RECONCILE: Final = "api/reconcile"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgress:
    """The number of photos left to render, and of failed jobs."""

    left: int
    failed: int


class OperatorCalls(ClientConnection):
    """The calls of an operator."""

    def sessions(self) -> list[dict[str, Any]]:
        """List the sessions of signed-in browsers, last used first."""
        content = self._request("GET", _SESSIONS).content
        sessions: list[dict[str, Any]] = self._decode(content, list[SessionFields])
        return sessions

    def end_session(self, id_: str) -> None:
        """Sign out a browser. Raises NotFound."""
        self._request("DELETE", path_of(_SESSIONS, id_))

    def jobs(self) -> dict[str, Any]:
        """Return the number of jobs in each state, and the oldest jobs."""
        jobs: dict[str, Any] = self._decode(self._request("GET", _JOBS).content, JobFields)
        return jobs

    def render_missing(self, *, demanded: bool = False) -> int:
        """Enqueue missing renditions, and return the number of photos that lack some."""
        query = "&demanded=true" if demanded else ""
        return self._sum_batches(_MISSING_RENDITIONS, EnqueuedBatch, query)["photos"]

    def reinspect(self) -> int:
        """Enqueue photos that an earlier version inspected, and return their number."""
        return self._sum_batches(_REINSPECTIONS, EnqueuedBatch)["photos"]

    def prune_renditions(self, *, apply: bool) -> Counter[str]:
        """Remove or count the renditions that no preset names; return the sum of all batches."""
        return self._sum_batches(_PRUNE, PruneCounts, f"&apply={str(apply).lower()}")

    def _sum_batches(self, path: str, kind: object, query: str = "") -> Counter[str]:
        counts, after = Counter[str](), cast("int | None", 0)
        while after is not None:
            response = self._request("POST", f"{path}?after={after}{query}")
            batch = self._decode(response.content, kind)
            after = batch.pop("next")
            counts.update(batch)
        return counts

    def job_progress(self, task: str) -> JobProgress:
        """Return the progress of the jobs of a task."""
        counts = self._decode(self._request("GET", f"{_JOBS}?task={task}").content, JobCounts)
        left = counts["waiting"] + counts["late"] + counts["running"]
        return JobProgress(left=left, failed=counts["failed"])

    def retry_jobs(self) -> list[int]:
        """Retry all failed jobs, and return their ids."""
        ids: list[int] = self._decode(self._request("POST", f"{_JOBS}/retry").content, list[int])
        return ids

    def retry_job(self, id_: str) -> None:
        """Retry a failed job. Raises NotFound."""
        self._request("POST", f"{path_of(_JOBS, id_)}/retry")

    def reconcile(self, options: dict[str, str]) -> Iterator[dict[str, Any]]:
        """Compare rows with objects, and yield the server's messages as they arrive.

        Raises Unavailable, also if the server stops early.
        """
        # Without compression, which would hold lines back.
        headers = {"Accept-Encoding": "identity"}
        with self._stream(_RECONCILE, params=options, headers=headers) as response:
            is_done = False
            for line in response.iter_lines():
                message: dict[str, Any] = self._decode(line, dict[str, Any])
                if problem := message.get("error"):
                    raise error_from_problem(problem)
                is_done = bool(message.get("tally", {}).get("done"))
                yield message
        if not is_done:
            raise Unavailable(f"{self._settings.url} stopped early: run the command again.")
