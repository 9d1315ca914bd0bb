"""Run all checks against the real configuration, whether the server runs or not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import httpx

from safelight.doctor import database, machine, store
from safelight.errors import OperatorError, SettingsError
from safelight.library.backends import bucket_config, make_engines
from safelight.server.listeners import ANY_ADDRESS
from safelight.settings import Settings
from safelight.signing.credentials import StaticCredentials, make_credential_provider
from safelight.signing.sigv4 import Credentials
from safelight.storage import CheckOutcome, CheckResult

if TYPE_CHECKING:
    from safelight.engines import EmbeddedEngines

_READY_TIMEOUT: Final = 10.0


def settings_failure(error: SettingsError) -> CheckResult:
    """Return the result for settings that can't be read."""
    return CheckResult(check="settings", outcome=CheckOutcome.FAILURE, message=str(error))


async def examine(settings: Settings) -> AsyncIterator[CheckResult]:
    """Yield the result of each check, in an order in which a cause comes before its effects.

    Embedded engines that aren't running are started meanwhile, so call this on the main thread.
    """
    yield CheckResult(check="settings")
    failed = False
    for result in machine.check_data_directory(settings):
        failed = failed or result.outcome is CheckOutcome.FAILURE
        yield result
    for result in machine.check_resources(settings):
        yield result
    listening = machine.check_listeners(settings)
    yield listening
    yield await machine.check_decoders(settings)
    if not failed:
        async for result in _check_backends(settings, is_serving=machine.is_serving(listening)):
            yield result


async def _check_backends(settings: Settings, *, is_serving: bool) -> AsyncIterator[CheckResult]:
    embeds = settings.database_url is None or settings.s3.endpoint_url is None
    if embeds and is_serving:
        yield await _check_running_server(settings)
    try:
        async with _start_engines(settings, wanted=embeds and not is_serving) as engines:
            if url := _database_url(settings, engines):
                for result in await database.check_database(url, settings.s3.bucket):
                    yield result
            async for result in _check_store(settings, engines):
                yield result
    except OperatorError as error:
        yield CheckResult(check="engines", outcome=CheckOutcome.FAILURE, message=str(error))


@asynccontextmanager
async def _start_engines(
    settings: Settings, *, wanted: bool
) -> AsyncIterator["EmbeddedEngines | None"]:
    engines = make_engines(settings) if wanted else None
    if engines is None:
        yield None
        return
    engines.start()
    try:
        yield engines
    finally:
        engines.stop()


def _database_url(settings: Settings, engines: "EmbeddedEngines | None") -> str | None:
    if settings.database_url:
        return settings.database_url.get_secret_value()
    return engines.database_url if engines else None


async def _check_running_server(settings: Settings) -> CheckResult:
    """Ask the server that uses the embedded engines."""
    host = settings.host.strip("[]")
    host = ANY_ADDRESS.get(host, host)
    host = f"[{host}]" if ":" in host else host
    url = f"http://{host}:{settings.port}/readyz"
    async with httpx.AsyncClient(timeout=_READY_TIMEOUT, trust_env=False) as client:
        try:
            response = await client.get(url)
        except httpx.HTTPError as error:
            message = f"The running server doesn't answer at {url} ({type(error).__name__})."
            return CheckResult(check="server", outcome=CheckOutcome.FAILURE, message=message)
    if response.is_success:
        return CheckResult(check="server", message="It is running, and can store uploads.")
    message = "The running server can't store uploads. Its log has the reason."
    return CheckResult(
        check="server",
        outcome=CheckOutcome.FAILURE,
        message=message,
        response=" ".join(response.text.split())[:300],
    )


async def _check_store(
    settings: Settings, engines: "EmbeddedEngines | None"
) -> AsyncIterator[CheckResult]:
    if settings.s3.endpoint_url is None:
        if engines is not None:
            config = bucket_config(settings, engines)
            keys = Credentials(access_key=engines.s3_access_key, secret_key=engines.s3_secret_key)
            async for result in store.check_store(settings, config, StaticCredentials(keys)):
                yield result
        return
    config = bucket_config(settings, None)
    now = datetime.now(UTC)
    try:
        async with make_credential_provider(
            settings.s3, lambda: datetime.now(UTC), authorities=settings.authorities
        ) as credentials:
            yield store.check_lifetime(credentials.current(), settings, now=now)
            async for result in store.check_store(settings, config, credentials):
                yield result
            if settings.s3.public_endpoint_url or settings.s3.signing_access_key:
                async for result in store.check_links(settings, config, credentials):
                    yield result
            async for result in store.check_setup(settings, config, credentials.current()):
                yield result
    except SettingsError as error:
        yield CheckResult(check="credentials", outcome=CheckOutcome.FAILURE, message=str(error))
