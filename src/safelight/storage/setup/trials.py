"""Try what a bucket's configuration is for, as a browser and as a client without keys would."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

import httpx

from safelight.errors import StorageUnavailable
from safelight.signing.credentials import StaticCredentials
from safelight.signing.sigv4 import Credentials
from safelight.storage.config import BucketConfig
from safelight.storage.objects import probe_key
from safelight.storage.probe.connection import explain_connection
from safelight.storage.s3_api import APIResponse, BucketAPI
from safelight.storage.setup.rules import HEADERS

MINIO_CORS: Final = "MINIO_API_CORS_ALLOW_ORIGIN"

_TIMEOUT: Final = timedelta(seconds=5)
_ANY: Final = "*"
_ANY_ORIGIN: Final = "https://any-origin.invalid"
_AT_ONCE: Final = 8
_PAUSES: Final = (0.5, 1.0, 2.0)
"""Seconds between attempts: some stores apply a change after a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupTrial:
    """What happened when one part of the configuration was tried. `title` is that of its step."""

    title: str
    works: bool
    text: str


async def try_cors(
    config: BucketConfig, credentials: Credentials, origins: Sequence[str], *, is_new: bool = False
) -> SetupTrial:
    """Send the preflight of a direct upload for each origin, to the endpoint of `config`.

    With `is_new`, what fails is tried again for a few seconds.
    """
    waiting = [_ANY_ORIGIN if origin == _ANY else origin for origin in origins]
    failed: dict[str, str] = {}
    async with BucketAPI(config, StaticCredentials(credentials), timeout=_TIMEOUT) as api:
        slots = asyncio.Semaphore(_AT_ONCE)
        server = ""

        async def check(origin: str) -> str:
            nonlocal server
            async with slots:
                problem, server = await _preflight(api, config, origin)
            return problem

        for pause in (*(_PAUSES if is_new else ()), 0):
            problems = await asyncio.gather(*map(check, waiting))
            failed = {o: text for o, text in zip(waiting, problems, strict=True) if text}
            waiting = list(failed)
            if not failed or not pause:
                break
            await asyncio.sleep(pause)
    is_minio = server.startswith("MinIO")
    if not failed:
        text = "a preflight works for each origin"
        text += f" (MinIO allows those of {MINIO_CORS}, by default all)" if is_minio else ""
        return SetupTrial(title="CORS", works=True, text=text)
    reasons = "; ".join(
        f"{', '.join(o for o in failed if failed[o] == reason)} ({reason})"
        for reason in dict.fromkeys(failed.values())
    )
    text = f"a preflight fails for {reasons}, so the gallery can't upload straight to this store"
    if is_minio:
        text += f": start MinIO with {MINIO_CORS}={','.join(origins)}"
    return SetupTrial(title="CORS", works=False, text=text)


async def try_privacy(config: BucketConfig, credentials: Credentials) -> SetupTrial:
    """Request an object and the list of objects without a signature.

    If the keys may write one, the object exists; otherwise the response for a missing one counts.
    """
    key = probe_key()
    async with BucketAPI(config, StaticCredentials(credentials), timeout=_TIMEOUT) as api:
        try:
            written = await api.request("PUT", {}, key=key, body=b"probe", headers={})
            try:
                reads = await _is_open(api, api.url(key))
                lists = await _is_open(api, f"{api.url()}?list-type=2&max-keys=1")
            finally:
                if written.is_success:
                    await api.request("DELETE", {}, key=key)
        except StorageUnavailable as error:
            return SetupTrial(
                title="Public access", works=False, text=await _silence(error, config)
            )
    if reads or lists:
        what = "read photos" if reads else "list the bucket"
        text = f"anyone can {what} without a signature: make the bucket private at the store"
        return SetupTrial(title="Public access", works=False, text=text)
    text = "requests without a signature are refused"
    return SetupTrial(title="Public access", works=True, text=text)


async def _is_open(api: BucketAPI, url: str) -> bool:
    """Return whether a request without a signature gets past the store's access control."""
    response = await api.send(httpx.Request("GET", url))
    return response.is_success or response.code == "NoSuchKey"


async def _silence(error: StorageUnavailable, config: BucketConfig) -> str:
    host = urlsplit(config.endpoint_url).netloc
    cause = error.__cause__ or error
    explained = await asyncio.to_thread(explain_connection, cause, config, host)
    return explained.message.rstrip(".")


async def _preflight(api: BucketAPI, config: BucketConfig, origin: str) -> tuple[str, str]:
    """Return why a preflight fails, or "", and the Server header."""
    request = httpx.Request(
        "OPTIONS",
        api.url("incoming/preflight"),
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": ",".join(HEADERS),
        },
    )
    try:
        response = await api.send(request)
    except StorageUnavailable as error:
        return await _silence(error, config), ""
    return _problem(response, origin), response.server


def _problem(response: APIResponse, origin: str) -> str:
    """Return why a browser would not send the request after this response; "" if it would."""
    headers = response.headers
    if not response.is_success:
        return str(response.error)
    if headers.get("access-control-allow-origin") not in {origin, _ANY}:
        return "the origin is not allowed"
    allowed = _values(headers.get("access-control-allow-methods", ""))
    if "put" not in allowed and _ANY not in allowed:
        return "PUT is not allowed"
    allowed = _values(headers.get("access-control-allow-headers", ""))
    missing = [name for name in HEADERS if name not in allowed and _ANY not in allowed]
    return f"{', '.join(missing)} not allowed" if missing else ""


def _values(header: str) -> set[str]:
    return {value.strip().lower() for value in header.split(",")}
