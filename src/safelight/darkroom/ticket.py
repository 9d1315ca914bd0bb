"""A place in the queue for the darkroom."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

Lane = tuple[bool, str]
"""Whether it is in the background, and the owner. Sorts clients first."""


@dataclass(slots=True, kw_only=True, eq=False)
class Ticket:
    """A piece of work in the queue, or in a slot.

    It queues in its `lane`, and `continues` its owner's turn if it was preferred. It is `expensive`
    if it was estimated to be, and while it takes longer than `_LONG`. It takes `memory` bytes. In
    the `background` no client waits for it; if a client needs its memory, it `has_given_way`, and
    `give_way` ends it.
    """

    owner: str
    background: bool = False
    lane: Lane
    expensive: bool = False
    memory: int = 0
    admitted: "asyncio.Future[None]"
    continues: bool = False
    timer: asyncio.TimerHandle | None = None
    is_patient: bool = True
    has_given_way: bool = False
    give_way: Callable[[], object] = bool
