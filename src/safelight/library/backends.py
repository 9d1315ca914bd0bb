"""The backends of a library: the catalog, the bucket, the darkroom and the signers."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from safelight.catalog import Catalog
from safelight.darkroom.pool import Darkroom
from safelight.errors import SettingsError
from safelight.imaging.presets import build_presets
from safelight.library.signers import link_hosts, make_link_signer, make_upload_signer
from safelight.library.spool import Spool
from safelight.models import Preset
from safelight.private_files import check_data_directory
from safelight.settings import LimitSettings, Settings, UploadSettings
from safelight.settings.validators import reveal
from safelight.signing.credentials import (
    CredentialProvider,
    StaticCredentials,
    make_credential_provider,
    signing_credentials,
)
from safelight.signing.links import LinkSigner
from safelight.signing.sigv4 import Credentials
from safelight.signing.uploads import UploadSigner
from safelight.storage import (
    Bucket,
    BucketConfig,
    LinkProbe,
    MultipartUploads,
    SetupOutcome,
    StoreFeatures,
    configure_bucket,
    page_origins,
    verify_store,
    verify_transfers,
)

if TYPE_CHECKING:
    from safelight.engines import EmbeddedEngines

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """The backends of a library, ready for use.

    `engines` are the embedded engines; None if PostgreSQL and the store are external.
    """

    bucket: Bucket
    catalog: Catalog
    darkroom: Darkroom
    link_signer: LinkSigner
    spool: Spool
    limits: LimitSettings
    uploads: UploadSettings
    upload_signer: UploadSigner
    multipart: MultipartUploads
    presets: tuple[Preset, ...]
    trash_time: timedelta = timedelta(days=30)
    """How long photos stay in the trash; none at all if it is 0."""
    engines: "EmbeddedEngines | None" = None
    link_hosts: frozenset[str] = frozenset()
    """The host names that links are signed for when a request was sent to them; `*` for all. Empty:
    all links are signed for the configured endpoint."""


@asynccontextmanager
async def open_backends(
    settings: Settings, clock: Callable[[], datetime], *, darkroom: Darkroom | None = None
) -> AsyncIterator[Backends]:
    """Start embedded engines or connect to the configured ones, and migrate the schema.

    `darkroom` is one to use that is started elsewhere. Raises OperatorError with what to do.
    """
    check_data_directory(settings.data_dir)
    spool = Spool(settings.data_dir / "spool", max_bytes=settings.limits.max_spooled_bytes)
    await asyncio.to_thread(spool.require_writable)
    async with AsyncExitStack() as stack:
        engines = make_engines(settings)
        if engines:
            stack.callback(engines.stop)
            engines.start()
            await stack.enter_async_context(_supervise(engines))
        config = bucket_config(settings, engines)
        credentials = await _credentials(settings, engines, clock, stack)
        catalog = await _open_catalog(settings, engines, stack)
        features = StoreFeatures.of(config)
        if settings.s3.endpoint_url:
            features = await verify_store(settings.s3, config, credentials)
        endpoint = _public_endpoint(settings, engines)
        signing = signing_credentials(settings.s3, credentials)
        bucket = Bucket(
            config,
            credentials,
            timeout=settings.s3.timeout,
            is_running=_store_check(settings, engines),
            features=features,
            links=None
            if signing is credentials
            else LinkProbe(config, signing, timeout=settings.s3.timeout, has_own_keys=True),
        )
        stack.push_async_callback(bucket.close)

        def upload_credentials() -> Credentials:
            bucket.require_running()  # or a client would send its photo to another process
            return credentials.current  # keys for links may be allowed nothing but reading

        if engines and not settings.s3.endpoint_url:
            await _configure_embedded(settings, engines, config)
        else:
            await verify_transfers(bucket, config)
        multipart = MultipartUploads(
            config, credentials, timeout=settings.s3.timeout, features=features
        )
        stack.push_async_callback(multipart.close)
        if darkroom is None:
            darkroom = Darkroom(
                settings.limits, require_confinement=settings.darkroom.require_confinement
            )
            stack.push_async_callback(darkroom.close)
            await darkroom.start()
        yield Backends(
            bucket=bucket,
            catalog=catalog,
            darkroom=darkroom,
            link_signer=make_link_signer(settings, config, endpoint, signing, clock),
            spool=spool,
            limits=settings.limits,
            uploads=settings.uploads,
            upload_signer=make_upload_signer(
                settings, config, endpoint, upload_credentials, clock, features=features
            ),
            multipart=multipart,
            presets=build_presets(settings.renditions),
            trash_time=timedelta(days=settings.trash_days),
            engines=engines,
            link_hosts=link_hosts(settings),
        )


def make_engines(settings: Settings, *, storage: bool = True) -> "EmbeddedEngines | None":
    """Return the embedded engines that the settings need, not started; None if they need none.

    Without `storage`, it isn't among them. Raises SettingsError if they aren't installed.
    """
    postgres = settings.database_url is None
    storage = storage and settings.s3.endpoint_url is None
    if not (postgres or storage):
        return None
    try:
        from safelight.engines import EmbeddedEngines
    except ModuleNotFoundError as error:
        raise SettingsError(
            "Set SAFELIGHT_DATABASE_URL and SAFELIGHT_S3__ENDPOINT_URL, or install the embedded"
            " engines: pip install 'safelight[embedded]'."
        ) from error
    return EmbeddedEngines(
        settings.data_dir, bucket=settings.s3.bucket, postgres=postgres, storage=storage
    )


@asynccontextmanager
async def _supervise(engines: "EmbeddedEngines") -> AsyncIterator[None]:
    """Restart engines that die during the context."""
    supervisor = asyncio.create_task(engines.supervise())
    try:
        yield
    finally:
        supervisor.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await supervisor


async def _open_catalog(
    settings: Settings, engines: "EmbeddedEngines | None", stack: AsyncExitStack
) -> Catalog:
    if settings.database_url:
        url = reveal(settings.database_url)
    else:
        assert engines is not None
        url = engines.database_url
    catalog = Catalog(url, finds_duplicates=settings.duplicates == "share")
    stack.push_async_callback(catalog.close)
    await catalog.upgrade()
    await catalog.bucket_record.check(settings.s3.bucket)
    if not settings.alembic_filtered and await catalog.has_host_alembic():
        _log.warning(
            "the schema of Safelight's tables also has a table 'alembic_version': without"
            " include_name=safelight.alembic.include_name in its env.py, 'alembic revision"
            " --autogenerate' proposes to drop all photos; confirm it by"
            " SAFELIGHT_ALEMBIC_FILTERED=true"
        )
    return catalog


def bucket_config(settings: Settings, engines: "EmbeddedEngines | None") -> BucketConfig:
    """Return the address of the bucket: the configured one, or that of the started engines."""
    if settings.s3.endpoint_url:
        return BucketConfig.from_settings(
            settings.s3, endpoint_url=settings.s3.endpoint_url, authorities=settings.authorities
        )
    assert engines is not None
    return BucketConfig(
        endpoint_url=engines.s3_tls_endpoint_url,
        bucket=settings.s3.bucket,
        region=engines.region,
        ca_certificate=engines.s3_ca_certificate,
    )


def _public_endpoint(settings: Settings, engines: "EmbeddedEngines | None") -> str:
    """Return the store's URL for clients. That of the embedded store has no TLS."""
    configured = settings.s3.public_endpoint_url or settings.s3.endpoint_url
    if configured:
        return configured
    assert engines is not None
    return engines.s3_endpoint_url


def _store_check(settings: Settings, engines: "EmbeddedEngines | None") -> Callable[[], bool]:
    """Return a function that returns False once the embedded store has ended."""
    embeds = engines is not None and not settings.s3.endpoint_url
    return engines.is_store_running if engines and embeds else lambda: True


async def _credentials(
    settings: Settings,
    engines: "EmbeddedEngines | None",
    clock: Callable[[], datetime],
    stack: AsyncExitStack,
) -> CredentialProvider:
    if settings.s3.endpoint_url:
        return await stack.enter_async_context(
            make_credential_provider(settings.s3, clock, authorities=settings.authorities)
        )
    assert engines is not None
    return embedded_credentials(engines)


def embedded_credentials(engines: "EmbeddedEngines") -> StaticCredentials:
    """Return the service's keys for the embedded store."""
    return StaticCredentials(
        Credentials(access_key=engines.s3_access_key, secret_key=engines.s3_secret_key)
    )


async def _configure_embedded(
    settings: Settings, engines: "EmbeddedEngines", config: BucketConfig
) -> None:
    """Configure the embedded bucket at every start, since the settings may have changed."""
    keys = Credentials(
        access_key=engines.s3_setup_access_key, secret_key=engines.s3_setup_secret_key
    )
    for step in await configure_bucket(config, keys, origins=page_origins(settings)):
        if step.outcome is SetupOutcome.REFUSED:
            _log.warning("the photo store could not be configured: %s %s", step.title, step.code)
