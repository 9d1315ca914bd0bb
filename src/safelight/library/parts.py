"""What a library is put together from, opened and closed as one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from safelight.catalog import Catalog
from safelight.darkroom.pool import Darkroom
from safelight.errors import CatalogUnavailable, SettingsError
from safelight.library.spool import Spool
from safelight.links import Links
from safelight.settings import LimitSettings, Settings
from safelight.sigv4 import Credentials
from safelight.storage import Access, Storage, ensure_bucket

if TYPE_CHECKING:
    from safelight.engines import EmbeddedEngines


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that a library needs, ready to be used.

    `engines` is what was started along with it; None if both engines are somebody else's.
    """

    storage: Storage
    catalog: Catalog
    darkroom: Darkroom
    links: Links
    spool: Spool
    limits: LimitSettings
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
        catalog = await _catalog(settings, engines, stack)
        if not (engines and settings.s3.endpoint_url is None):
            await asyncio.to_thread(ensure_bucket, access)
        darkroom = Darkroom(settings.limits)
        stack.push_async_callback(darkroom.close)
        await darkroom.start()
        yield Parts(
            storage=Storage(access, timeout=settings.s3.timeout),
            catalog=catalog,
            darkroom=darkroom,
            links=_links(settings, access, clock),
            spool=Spool(settings.data_dir / "spool", max_bytes=settings.limits.max_spooled_bytes),
            limits=settings.limits,
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
        origins=settings.origins,
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
    try:
        await catalog.upgrade()
    except CatalogUnavailable as error:
        raise SettingsError(
            "PostgreSQL does not answer: start it, or correct SAFELIGHT_DATABASE_URL."
        ) from error
    return catalog


def _access(settings: Settings, engines: "EmbeddedEngines | None") -> Access:
    if settings.s3.endpoint_url:
        if settings.s3.access_key is None:
            raise SettingsError(
                "SAFELIGHT_S3__ENDPOINT_URL needs SAFELIGHT_S3__ACCESS_KEY and"
                " SAFELIGHT_S3__SECRET_KEY beside it."
            )
        return Access.from_settings(settings.s3)
    assert engines is not None  # noqa: S101  _embedded made them for this
    return Access(
        endpoint_url=engines.s3_endpoint_url,
        bucket=settings.s3.bucket,
        region=engines.region,
        access_key=engines.s3_access_key,
        secret_key=engines.s3_secret_key,
    )


def _links(settings: Settings, access: Access, clock: Callable[[], datetime]) -> Links:
    credentials = Credentials(
        access_key=access.access_key,
        secret_key=access.secret_key,
        session_token=access.session_token,
    )
    return Links(
        settings.links,
        credentials=lambda: credentials,
        clock=clock,
        endpoint=settings.s3.public_endpoint_url or access.endpoint_url or "",
        bucket=access.bucket,
        region=access.region,
        style="virtual" if access.virtual_hosted else "path",
    )
