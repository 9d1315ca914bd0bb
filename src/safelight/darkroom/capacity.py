"""How many children this machine can bear, and how much memory each may have."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_CGROUP_LIMITS: Final = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """`children` that decode at once, each with `address_space` bytes.

    `beside_readers` is how many if a processor is to be left to others, but at least one.
    """

    children: int
    beside_readers: int
    address_space: int

    @classmethod
    def of(cls, *, cores: int, memory: int, decode_memory: int) -> Self:
        """Take as many as both cores and memory (bytes) allow, but at least one, cut to fit."""
        children = max(1, min(cores, memory // decode_memory))
        return cls(
            children=children,
            beside_readers=max(1, min(cores - 1, children)),
            address_space=min(decode_memory, memory),
        )

    @classmethod
    def here(cls, decode_memory: int) -> Self:
        """Measure this machine, or the container that we are in."""
        return cls.of(
            cores=len(os.sched_getaffinity(0)), memory=_memory(), decode_memory=decode_memory
        )


def _memory() -> int:
    amounts = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in _CGROUP_LIMITS:
        with contextlib.suppress(OSError, ValueError):  # Absent, or the word "max".
            amounts.append(int(path.read_text()))
    return min(amounts)
