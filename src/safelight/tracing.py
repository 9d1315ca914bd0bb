"""Tracing: the id of the current request, whether a client waits for it, and spans.

The request's id is in the context (PEP 567), and so in every task that the work starts. Spans go to
a tracer if the program has one; otherwise they cost next to nothing.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import Final, Protocol

request_id: Final[ContextVar[str | None]] = ContextVar("safelight.request_id", default=None)
"""The request that the current work is for, if any."""

in_background: Final = ContextVar("safelight.in_background", default=False)
"""Whether no client waits for the current work: it is a job's, and gives way to that of clients."""


class Tracer(Protocol):
    """A receiver of spans."""

    def span(
        self, name: str, attributes: Mapping[str, str | int]
    ) -> AbstractContextManager[object]:
        """Return a context that lasts as long as the span."""


class _Program:
    tracer: Tracer | None = None


_NOTHING: Final = nullcontext()


def set_tracer(tracer: Tracer | None) -> None:
    """Send all spans of this process to a tracer, or to none.

    As with logging, the program calls this once; libraries don't.
    """
    _Program.tracer = tracer


def span(name: str, **attributes: str | int) -> AbstractContextManager[object]:
    """Return the context of a span.

    `name` must have low cardinality. Neither the name nor the attributes may contain an owner or a
    secret.
    """
    tracer = _Program.tracer
    return _NOTHING if tracer is None else tracer.span(name, attributes)
