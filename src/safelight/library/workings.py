"""What does the work in a library: made of its parts, and ended before them."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from safelight.jobs import Worker
from safelight.library.incoming import Incoming
from safelight.library.intake import Intake
from safelight.library.parts import Parts
from safelight.library.prints import Prints
from safelight.library.reconciler import Reconciler
from safelight.library.sweep import Sweep
from safelight.library.tasks import settled, tasks
from safelight.library.uploads import Uploads


@dataclass(frozen=True, slots=True, kw_only=True)
class Workings:
    """Who lets photos in, renders them, takes them away, and looks for what is left.

    `parts` is what they are made of.
    """

    parts: Parts
    intake: Intake
    uploads: Uploads
    prints: Prints
    sweep: Sweep
    reconciler: Reconciler


@asynccontextmanager
async def working(
    parts: Parts, clock: Callable[[], datetime], *, does_jobs: bool
) -> AsyncIterator[Workings]:
    """Do the jobs meanwhile, if asked for; finish what is under way at the end."""
    sweep = Sweep(parts.catalog, parts.storage, clock=clock)
    prints = Prints(parts)
    incoming = Incoming(parts.catalog, parts.storage, parts.multiparts, clock=clock)
    reconciler = Reconciler(parts, partial(settled, sweep, incoming), clock=clock)
    intake = Intake(parts, sweep, prints, clock=clock)
    work = tasks(parts.catalog, sweep, incoming, prints, clock, reconcile=reconciler.daily)
    worker = Worker(parts.catalog.url, work).running() if does_jobs else nullcontext()
    async with worker:
        try:
            yield Workings(
                parts=parts,
                intake=intake,
                uploads=Uploads(parts, intake, incoming, clock=clock),
                prints=prints,
                sweep=sweep,
                reconciler=reconciler,
            )
        finally:
            await intake.cleaned_up()
