"""Inspect and suspend processes, any of which may end at the same time."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import psutil


def family(pid: int) -> list[psutil.Process]:
    """Return a process and all its descendants."""
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def named(processes: Iterable[psutil.Process], *names: str) -> list[psutil.Process]:
    """Return the processes whose program has one of these names."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.name() in names:
                found.append(process)
    return found


def sockets(processes: Iterable[psutil.Process]) -> Iterator[Any]:
    """Yield the internet sockets of processes."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            yield from process.net_connections("inet")


@contextlib.contextmanager
def suspended(pid: int) -> Iterator[None]:
    """Suspend a process and its children for the duration of the context.

    PostgreSQL serves each connection with a child process; once suspended, it starts no more.
    """
    root = psutil.Process(pid)
    root.suspend()
    processes = [root, *root.children()]
    for process in processes[1:]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
    try:
        yield
    finally:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()
