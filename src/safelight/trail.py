"""The trail of work: for which request it is done, and in which steps.

The request's id follows the work by its context (PEP 567), into the tasks that it starts. Steps
are told to a tracer if the program has one; otherwise they cost next to nothing.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import Final, Protocol

request_id: Final[ContextVar[str | None]] = ContextVar("safelight.request_id", default=None)
"""The request that the work at hand is done for; None where there is none."""


class Tracer(Protocol):
    """Who wants to know of steps."""

    def step(self, name: str, facts: Mapping[str, str | int]) -> AbstractContextManager[object]:
        """Give what lasts as long as the step does."""


class _Program:
    tracer: Tracer | None = None


_NOTHING: Final = nullcontext()


def trace_by(tracer: Tracer | None) -> None:
    """Tell all steps of this process to a tracer from now on; None tells them to nobody.

    As with logging, it is for whoever runs the program to call, once, and for no library.
    """
    _Program.tracer = tracer


def step(name: str, **facts: str | int) -> AbstractContextManager[object]:
    """Give a context to do a step in.

    `name` is one of few, and neither it nor the facts tell whose photo it is, or a secret.
    """
    tracer = _Program.tracer
    return _NOTHING if tracer is None else tracer.step(name, facts)
