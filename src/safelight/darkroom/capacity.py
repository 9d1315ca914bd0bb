"""How many decoder processes this machine can run, and how much memory each may use."""

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
    """`children` may decode at once, each with `address_space` bytes.

    `children_under_load` is how many leave one processor free, but at least one, and `extra` how
    many more there is memory for: one or none.
    """

    children: int
    children_under_load: int
    address_space: int
    extra: int

    @classmethod
    def compute(cls, *, cores: int, memory: int, decode_memory: int) -> Self:
        """Return as many children as cores and memory (bytes) allow, but at least one."""
        children = max(1, min(cores, memory // decode_memory))
        return cls(
            children=children,
            children_under_load=max(1, min(cores - 1, children)),
            address_space=min(decode_memory, memory),
            extra=min(1, max(0, memory // decode_memory - children)),
        )

    @classmethod
    def detect(cls, decode_memory: int) -> Self:
        """Measure this machine, or the container that this process runs in."""
        return cls.compute(
            cores=len(os.sched_getaffinity(0)), memory=_memory(), decode_memory=decode_memory
        )


def _memory() -> int:
    amounts = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in _CGROUP_LIMITS:
        with contextlib.suppress(OSError, ValueError):  # Missing, or the word "max".
            amounts.append(int(path.read_text()))
    return min(amounts)
