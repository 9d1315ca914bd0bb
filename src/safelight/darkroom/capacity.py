"""How many decoder processes can run, also while clients read, and how much memory each may use."""

import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

from safelight.darkroom.cgroups import memory_limits

_GIB: Final = 1 << 30
_RESERVED: Final = _GIB
"""For the server, the embedded engines and the rest of the system; docs/deploy.md has figures."""
_USUAL: Final = 512 << 20
"""Bytes; enough for nearly all photos (measured in docs/decisions/0024)."""

_MANY_READS: Final = 5
_READ_WINDOW: Final = 1.0
"""Seconds. A gallery that uploads refreshes its list once a second: one alone is not many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """`children` may decode at once, with `memory` bytes in all of them together.

    Each has `usual_space` bytes of address space. A photo that needs more is decoded by a child of
    its own, with up to `max_space` bytes of address space and `max_memory` of memory.
    `children_under_load` is how many leave one processor free, but at least one, and `extra` how
    many more there is memory for: one or none.
    """

    children: int
    children_under_load: int
    extra: int
    memory: int
    usual_space: int
    max_space: int
    max_memory: int

    @classmethod
    def compute(cls, *, cores: int, memory: int, decode_memory: int) -> Self:
        """Return as many children as cores and memory (bytes) allow, but at least one.

        `decode_memory` is the address space that one decode may have.
        """
        for_children = max(memory - _RESERVED, memory // 2)
        usual = min(_USUAL, decode_memory, for_children)
        children = max(1, min(cores, for_children // usual))
        return cls(
            children=children,
            children_under_load=max(1, min(cores - 1, children)),
            extra=min(1, for_children // usual - children),
            memory=for_children,
            usual_space=usual,
            max_space=max(usual, decode_memory),
            max_memory=min(for_children, decode_memory),
        )

    @classmethod
    def detect(cls, decode_memory: int) -> Self:
        """Measure this machine, or the container that this process runs in."""
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return cls.compute(
            cores=len(os.sched_getaffinity(0)),
            memory=min([machine, *memory_limits()]),
            decode_memory=decode_memory,
        )


class ReadLoad:
    """Lowers the number of decoders while many clients read, which leaves one processor to those.

    With every processor busy decoding, each process on the way of a response (the server,
    PostgreSQL, the client) first waits until a decoder is descheduled: docs/decisions/0012.
    `clock` returns seconds.
    """

    def __init__(
        self, *, decoders: int, under_load: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._decoders = decoders
        self._under_load = under_load
        self._clock = clock
        self._reads: deque[float] = deque(maxlen=_MANY_READS)

    def record(self) -> None:
        """Record a request that reads."""
        self._reads.append(self._clock())

    def allowed_decoders(self) -> int:
        """Return how many decoders may run at the moment."""
        is_high = len(self._reads) == _MANY_READS and self._clock() - self._reads[0] < _READ_WINDOW
        return self._under_load if is_high else self._decoders
