"""Assemble the parts of a library over its backends."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from safelight.jobs import Worker
from safelight.library.backends import Backends
from safelight.library.deletion.rekeying import Rekeying
from safelight.library.deletion.trash import Trash
from safelight.library.downloads.downloads import Downloads
from safelight.library.hooks import Hooks
from safelight.library.ingest import Ingest
from safelight.library.processing.on_demand import OnDemandRenditions
from safelight.library.processing.pruning import Pruning
from safelight.library.processing.reinspection import Reinspection
from safelight.library.processing.renditions import RenditionMaker
from safelight.library.processing.turning import Turning
from safelight.library.reconcile.reconciler import Reconciler
from safelight.library.sweep import Sweep
from safelight.library.tasks import enqueue_turned, make_tasks, settle
from safelight.library.uploads.adoption import Adoption
from safelight.library.uploads.direct_uploads import DirectUploads
from safelight.library.uploads.upload_cleanup import UploadCleanup
from safelight.metrics import LibraryMetrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """The parts of a started library."""

    adoption: Adoption
    ingest: Ingest
    direct_uploads: DirectUploads
    downloads: Downloads
    renditions: RenditionMaker
    on_demand: OnDemandRenditions
    pruning: Pruning
    reinspection: Reinspection
    rekeying: Rekeying
    trash: Trash
    turning: Turning
    sweep: Sweep
    reconciler: Reconciler


@asynccontextmanager
async def assemble(
    backends: Backends,
    metrics: LibraryMetrics,
    clock: Callable[[], datetime],
    hooks: Hooks,
    *,
    runs_jobs: bool,
) -> AsyncIterator[Components]:
    """Yield the components, and run jobs meanwhile if requested."""
    catalog, bucket, darkroom = backends.catalog, backends.bucket, backends.darkroom
    sweep = Sweep(catalog, bucket, clock=clock)
    cleanup = UploadCleanup(catalog.uploads, bucket, backends.multipart, clock=clock)
    renditions = RenditionMaker(darkroom, bucket, catalog, backends.spool, backends.presets)
    on_demand = OnDemandRenditions(
        renditions,
        bucket,
        catalog,
        at_once=darkroom.queue.servers,
        max_waiting=backends.limits.max_waiting,
    )
    ingest = Ingest(
        darkroom,
        catalog.reservations,
        bucket,
        renditions=renditions,
        sweep=sweep,
        spool=backends.spool,
        links=backends.link_signer,
        metrics=metrics,
        hooks=hooks,
        max_bytes=backends.limits.max_direct_bytes,
        clock=clock,
    )
    direct_uploads = DirectUploads(
        catalog,
        bucket,
        spool=backends.spool,
        ingest=ingest,
        cleanup=cleanup,
        metrics=metrics,
        links=backends.link_signer,
        signer=backends.upload_signer,
        settings=backends.uploads,
        limits=backends.limits,
        clock=clock,
    )
    adoption = Adoption(
        catalog,
        bucket,
        darkroom=darkroom,
        spool=backends.spool,
        ingest=ingest,
        metrics=metrics,
        max_bytes=backends.limits.max_direct_bytes,
        clock=clock,
    )
    reconciler = Reconciler(
        catalog, bucket, backends.multipart, partial(settle, sweep, cleanup, on_demand), clock=clock
    )
    reinspection = Reinspection(darkroom, bucket, catalog, backends.spool, renditions, clock=clock)
    rekeying = Rekeying(catalog, bucket, sweep, clock=clock)
    trash = Trash(
        catalog, sweep, hooks=hooks, metrics=metrics, keep=backends.trash_time, clock=clock
    )
    tasks = make_tasks(
        catalog,
        sweep,
        cleanup,
        renditions,
        on_demand,
        reinspection=reinspection,
        clock=clock,
        rekey=rekeying.run,
        delete_expired=trash.delete_expired,
        reconcile=reconciler.run_daily,
    )
    async with Worker(catalog.conninfo, tasks).running() if runs_jobs else nullcontext():
        try:
            yield Components(
                adoption=adoption,
                ingest=ingest,
                direct_uploads=direct_uploads,
                downloads=Downloads(catalog, bucket, clock=clock),
                renditions=renditions,
                on_demand=on_demand,
                pruning=Pruning(catalog, bucket, renditions),
                reinspection=reinspection,
                rekeying=rekeying,
                sweep=sweep,
                trash=trash,
                turning=Turning(catalog, on_demand, backends.presets, enqueue_turned),
                reconciler=reconciler,
            )
        finally:
            await on_demand.close()
            await ingest.wait_for_undo()
            await rekeying.close()
