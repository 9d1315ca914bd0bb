"""Log unexpected errors: the first of each cause with its traceback, later ones in one line."""

import logging
import traceback
from pathlib import Path
from typing import Final

from cachetools import LRUCache

from safelight.tracing import request_id

_MAX_CAUSES: Final = 1_000

_log = logging.getLogger(__name__)

_Cause = tuple[tuple[type[BaseException], str, int], ...]


class _Known:
    """The first error of a cause, and how many there were."""

    def __init__(self, request: str | None) -> None:
        self.request = request
        self.count = 1


_known: LRUCache[_Cause, _Known] = LRUCache(_MAX_CAUSES)
"""Of this process, since it has one log."""


def log_unexpected(error: BaseException) -> None:
    """Log an error that no client caused. The traceback is logged once for each cause.

    Errors have the same cause if they, and the errors that led to them, are of the same types and
    were raised in the same lines.
    """
    cause = _cause_of(error)
    known = _known.get(cause)
    if known is None:
        _known[cause] = _Known(request_id.get())
        _log.error("unexpected error: %s", _describe(error), exc_info=error)
        return
    known.count += 1
    _log.error(
        "unexpected error: %s (%d times; the traceback is at the first, of request %s)",
        _describe(error),
        known.count,
        known.request or "-",
    )


def _cause_of(error: BaseException | None) -> _Cause:
    places: list[tuple[type[BaseException], str, int]] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        frame = _last_frame(error)
        places.append((type(error), *((frame.filename, frame.lineno or 0) if frame else ("", 0))))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return tuple(places)


def _last_frame(error: BaseException) -> traceback.FrameSummary | None:
    """Return where an error was raised."""
    frames = list(traceback.walk_tb(error.__traceback__))
    if not frames:
        return None
    frame, line = frames[-1]
    code = frame.f_code
    return traceback.FrameSummary(code.co_filename, line, code.co_name, lookup_line=False)


def _describe(error: BaseException) -> str:
    """Return an error's type and place. Its message may contain what no log should."""
    frame = _last_frame(error)
    place = f" in {Path(frame.filename).name}:{frame.lineno}" if frame else ""
    return f"{type(error).__name__}{place}"
