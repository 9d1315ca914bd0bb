"""Run all checks against the real configuration, whether the server runs or not."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import httpx

from safelight.doctor import database, machine, store
from safelight.errors import OperatorError, SettingsError
from safelight.library.backends import bucket_config, embedded_credentials, make_engines
from safelight.server.record import ServerRecord, local_url, running_servers
from safelight.settings import Settings
from safelight.settings.validators import reveal
from safelight.settings.warnings import find_warnings
from safelight.signing.credentials import make_credential_provider
from safelight.storage import CheckOutcome, CheckResult

if TYPE_CHECKING:
    from safelight.engines import EmbeddedEngines

_READY_TIMEOUT: Final = 10.0
_UNREACHABLE: Final = frozenset({"store: address", "store: certificate", "store: proxy"})


def settings_failure(error: SettingsError) -> CheckResult:
    """Return the result for settings that can't be read."""
    return CheckResult(check="settings", outcome=CheckOutcome.FAILURE, message=str(error))


async def examine(
    settings: Settings, variables: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[CheckResult]:
    """Yield the result of each check, in an order in which a cause comes before its effects.

    All checks are about these settings, except `running server`, which is the last one. `variables`
    are those that the settings were read from: they are compared with those of a running server.
    Embedded engines that aren't running are started meanwhile.
    """
    servers = running_servers(settings.data_dir)
    servers.sort(key=lambda each: each.port != settings.port)
    yield _check_settings(servers, variables)
    for warning in find_warnings(settings, variables):
        yield CheckResult(check="settings", outcome=CheckOutcome.WARNING, message=warning)
    failed = False
    for result in machine.check_data_directory(settings):
        failed = failed or result.outcome is CheckOutcome.FAILURE
        yield result
    for result in machine.check_resources(settings):
        yield result
    has_server = bool(servers) and servers[0].port == settings.port
    yield machine.check_listeners(settings, has_server=has_server)
    yield await machine.check_decoders(settings)
    if not failed:
        is_in_use = machine.is_in_use(settings)
        async for result in _check_backends(settings, is_in_use=is_in_use):
            yield result
        if servers or is_in_use:
            yield await _check_running_server(settings, servers, variables)


def _check_settings(servers: list[ServerRecord], variables: Mapping[str, str]) -> CheckResult:
    """Compare the settings with those of a running server: one of the two may be the mistake."""
    differences = servers[0].differences(variables) if servers and variables else []
    if not differences:
        return CheckResult(check="settings")
    return CheckResult(
        check="settings",
        outcome=CheckOutcome.WARNING,
        message=(
            f"The running server (process {servers[0].pid}) was started with other settings than"
            f" those here: {'; '.join(differences)}. Restart it to use those here, which the next"
            " lines are about; or run this command with the server's."
        ),
    )


async def _check_backends(settings: Settings, *, is_in_use: bool) -> AsyncIterator[CheckResult]:
    embeds = settings.database_url is None or settings.s3.endpoint_url is None
    try:
        async with _start_engines(settings, wanted=embeds and not is_in_use) as engines:
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
        return reveal(settings.database_url)
    return engines.database_url if engines else None


async def _check_running_server(
    settings: Settings, servers: list[ServerRecord], variables: Mapping[str, str]
) -> CheckResult:
    """Ask the server that uses the data directory whether it can store uploads."""
    check = "running server"
    base = servers[0].url if servers else local_url(settings)
    own = "with its own settings" if servers and servers[0].differences(variables) else ""
    async with httpx.AsyncClient(timeout=_READY_TIMEOUT, trust_env=False) as client:
        try:
            response = await client.get(f"{base}/readyz")
        except httpx.HTTPError as error:
            message = (
                f"A Safelight that uses {settings.data_dir} is running, but doesn't answer at"
                f" {base}/readyz ({type(error).__name__}). If it is a server with another"
                " SAFELIGHT_HOST or SAFELIGHT_PORT, use the same here; otherwise restart it."
            )
            return CheckResult(check=check, outcome=CheckOutcome.FAILURE, message=message)
    if response.is_success:
        message = f"The server at {base} can store uploads{f', {own}' if own else ''}"
        return CheckResult(check=check, message=message)
    return CheckResult(
        check=check,
        outcome=CheckOutcome.FAILURE,
        message=f"The server at {base}{f', {own},' if own else ''} isn't ready. Its log has the"
        " reason.",
        response=" ".join(response.text.split())[:300],
    )


async def _check_store(
    settings: Settings, engines: "EmbeddedEngines | None"
) -> AsyncIterator[CheckResult]:
    if settings.s3.endpoint_url is None:
        if engines is not None:
            config = bucket_config(settings, engines)
            keys = embedded_credentials(engines)
            async for result in store.check_store(settings, config, keys):
                yield result
        return
    config = bucket_config(settings, None)
    now = datetime.now(UTC)
    try:
        async with make_credential_provider(
            settings.s3, lambda: datetime.now(UTC), authorities=settings.authorities
        ) as credentials:
            yield store.check_lifetime(credentials.current, settings, now=now)
            async for result in store.check_store(settings, config, credentials):
                yield result
                if result.outcome is CheckOutcome.FAILURE and result.check in _UNREACHABLE:
                    return  # the other checks would only wait for their deadlines
            if settings.s3.public_endpoint_url or settings.s3.signing_access_key:
                async for result in store.check_links(settings, config, credentials):
                    yield result
            async for result in store.check_setup(settings, config, credentials.current):
                yield result
    except SettingsError as error:
        yield CheckResult(check="credentials", outcome=CheckOutcome.FAILURE, message=str(error))
