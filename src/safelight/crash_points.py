"""Crash points: the places between two steps with lasting effects, where tests crash the process.

A test sets ``SAFELIGHT_CRASH_AT`` to a crash point, and the process that reaches it kills itself
with SIGKILL. Otherwise, nothing happens there.
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
"""The steps of adding a photo; the last two are for one that turned out to be a duplicate."""

DELETE: Final = (
    "delete: row soft-deleted",
    "delete: objects gone",
    "delete: purge noted",
)
"""The steps of a deletion, up to its response."""

TRASH: Final = (
    "trash: row trashed",
    "trash: row restored",
    "trash: row soft-deleted",
    "revoke: row marked",
)
"""The steps of trashing, restoring, emptying the trash, and revoking links, up to re-keying."""

REKEY: Final = (
    "rekey: row reserved",
    "rekey: objects copied",
    "rekey: keys swapped",
    "rekey: objects gone",
    "rekey: purge noted",
)
"""The steps of giving a photo new keys."""

COMPLETE: Final = (
    "complete: fetched",
    "complete: noted",
    "complete: incoming gone",
)
"""The steps of completing a direct upload, besides those of adding its photo."""

ADOPT: Final = (
    "adopt: fetched",
    "adopt: recorded",
)
"""The steps of adopting an object, besides those of adding its photo."""

REFUSE: Final = (
    "refuse: upload ended",
    "refuse: incoming gone",
)
"""The steps of completing a direct upload whose bytes are refused."""

ABORT: Final = (
    "abort: upload ended",
    "abort: incoming gone",
)
"""The steps of aborting a direct upload."""

SWEEP: Final = (
    "purge: begun",
    "purge: objects gone",
    "purge: noted",
    "sweep: stale rows abandoned",
    "sweep: prefixes emptied",
    "sweep: rows forgotten",
)
"""The steps of the sweep and the purge."""

INCOMING: Final = (
    "incoming: stale ended",
    "incoming: objects gone",
    "incoming: noted",
    "incoming: rows forgotten",
)
"""The steps of clearing ended uploads."""

RECONCILE: Final = (
    "reconcile: suspected",
    "reconcile: row held",
    "reconcile: copied",
    "reconcile: removed",
    "reconcile: row changed",
)
"""The steps of repairing a difference between rows and objects."""

DEMAND: Final = (
    "demand: rendered",
    "demand: object written",
    "demand: claim ended",
    "demand: undone",
)
"""The steps of making a rendition on demand; the last is for one that the sweep undoes."""

TURN: Final = ("turn: row changed",)
"""The step between turning photos and making their renditions."""

PRUNE: Final = ("prune: row changed", "prune: objects deleted")
"""The step between the row and the objects of renditions that no preset names."""

CRASH_POINTS: Final = (
    *(
        *ADD,
        *DELETE,
        *TRASH,
        *REKEY,
        *ADOPT,
        *COMPLETE,
        *REFUSE,
        *ABORT,
        *SWEEP,
        *INCOMING,
        *RECONCILE,
    ),
    *(*DEMAND, *TURN, *PRUNE),
)
"""All crash points."""


def reached(point: str) -> None:
    """Kill this process if the environment says so; `point` is one of CRASH_POINTS."""
    if os.environ.get(VARIABLE) == point:
        os.kill(os.getpid(), signal.SIGKILL)
