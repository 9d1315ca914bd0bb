"""Jobs: work that need not hold up an answer, kept in PostgreSQL by Procrastinate.

It knows no photos: the library says what a task does.
"""

from safelight.jobs.queue import (
    Job,
    Jobs,
    State,
    clear,
    counted,
    enqueue,
    enqueue_each,
    listed,
    retry,
)
from safelight.jobs.task import Task
from safelight.jobs.worker import Pace, Worker

__all__ = [
    "Job",
    "Jobs",
    "Pace",
    "State",
    "Task",
    "Worker",
    "clear",
    "counted",
    "enqueue",
    "enqueue_each",
    "listed",
    "retry",
]
