"""Build single parts of a library over its backends."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from safelight.library.backends import Backends
from safelight.library.processing.renditions import RenditionMaker
from safelight.library.reconcile.reconciler import Reconciler
from safelight.models import Preset


def make_renditions(
    backends: Backends,
    *,
    presets: tuple[Preset, ...] | None = None,
    kind: type[RenditionMaker] = RenditionMaker,
) -> RenditionMaker:
    """Make a rendition maker, with other presets or of another class if given."""
    chosen = backends.presets if presets is None else presets
    return kind(backends.darkroom, backends.bucket, backends.catalog, backends.spool, chosen)


def make_reconciler(
    backends: Backends,
    settle: Callable[[], Awaitable[object]],
    *,
    clock: Callable[[], datetime],
    **options: Any,
) -> Reconciler:
    """Make a reconciler."""
    return Reconciler(
        backends.catalog, backends.bucket, backends.multipart, settle, clock=clock, **options
    )
