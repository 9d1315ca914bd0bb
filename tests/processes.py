"""Processes that tests look at from outside: any of them may have ended meanwhile."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import psutil


def family(pid: int) -> list[psutil.Process]:
    """List a process and all below it."""
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def named(processes: Iterable[psutil.Process], *names: str) -> list[psutil.Process]:
    """Those whose program has one of these names."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.name() in names:
                found.append(process)
    return found


def sockets(processes: Iterable[psutil.Process]) -> Iterator[Any]:
    """Their internet sockets, as psutil tells of them."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            yield from process.net_connections("inet")


@contextlib.contextmanager
def hung(pid: int) -> Iterator[None]:
    """Let a process and its children neither go on nor end for a while.

    PostgreSQL answers each connection by a child; once it stands still itself, no more come.
    """
    root = psutil.Process(pid)
    root.suspend()
    still = [root, *root.children()]
    for process in still[1:]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
    try:
        yield
    finally:
        for process in still:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()
