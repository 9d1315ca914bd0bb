"""The places at which a crash is tried: between any two steps that leave something behind.

A test names one in the environment (``SAFELIGHT_CRASH_AT``) and the process that gets there kills
itself, as hard as the kernel can. Otherwise nothing happens there.
"""

import os
import signal
from typing import Final

VARIABLE: Final = "SAFELIGHT_CRASH_AT"

ADD: Final = (
    "add: inspected",
    "add: row reserved",
    "add: object written",
    "add: renditions written",
    "add: row ready",
    "undo: row abandoned",
    "undo: objects gone",
)
"""The steps of taking a photo in; the last two are those of who lost against a twin."""

DELETE: Final = (
    "delete: row buried",
    "delete: objects gone",
    "delete: purge noted",
)
"""The steps of a deletion, up to its answer."""

COMPLETE: Final = (
    "complete: fetched",
    "complete: noted",
    "complete: incoming gone",
)
"""The steps of completing a direct upload, beside those of taking its photo in."""

REFUSE: Final = (
    "refuse: upload ended",
    "refuse: incoming gone",
)
"""Those of completing one whose bytes are refused."""

ABORT: Final = (
    "abort: upload ended",
    "abort: incoming gone",
)
"""Those of giving one up."""

SWEEP: Final = (
    "purge: begun",
    "purge: objects gone",
    "purge: noted",
    "sweep: stale rows abandoned",
    "sweep: prefixes emptied",
    "sweep: rows forgotten",
)
"""The steps of the jobs that finish what the others began."""

INCOMING: Final = (
    "incoming: stale ended",
    "incoming: objects gone",
    "incoming: noted",
    "incoming: rows forgotten",
)
"""Those of the jobs that clear away what was sent for uploads that have ended."""

RECONCILE: Final = (
    "reconcile: suspected",
    "reconcile: row held",
    "reconcile: copied",
    "reconcile: removed",
    "reconcile: row changed",
)
"""The steps of putting right a difference between rows and objects."""

CRASH_POINTS: Final = (*(*ADD, *DELETE, *COMPLETE, *REFUSE, *ABORT, *SWEEP, *INCOMING, *RECONCILE),)
"""All of them."""


def reached(point: str) -> None:
    """Die here, if the environment says so; `point` is one of CRASH_POINTS."""
    if os.environ.get(VARIABLE) == point:
        os.kill(os.getpid(), signal.SIGKILL)
