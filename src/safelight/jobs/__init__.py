"""Background jobs, stored in PostgreSQL by Procrastinate.

Nothing here knows about photos: the library defines the tasks.
"""

from safelight.jobs.queue import (
    Job,
    JobList,
    JobState,
    count_jobs,
    delete_ended_jobs,
    enqueue,
    enqueue_blocking,
    enqueue_each,
    list_jobs,
    retry_jobs,
)
from safelight.jobs.task import Task
from safelight.jobs.worker import Worker, WorkerTimings

__all__ = [
    "Job",
    "JobList",
    "JobState",
    "Task",
    "Worker",
    "WorkerTimings",
    "count_jobs",
    "delete_ended_jobs",
    "enqueue",
    "enqueue_blocking",
    "enqueue_each",
    "list_jobs",
    "retry_jobs",
]
