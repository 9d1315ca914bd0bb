"""The object store: a few verbs over any S3, by obstore. It knows no photos.

The permissions that it needs on the bucket are in `permissions.py`.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from mmap import mmap
from typing import TYPE_CHECKING, Protocol, TypeVar

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    GenericError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from safelight.errors import NotFound, StorageUnavailable
from safelight.sigv4 import Credentials
from safelight.storage.access import Access
from safelight.tallies import Calls
from safelight.trail import step

if TYPE_CHECKING:
    from obstore.store import S3Config, S3Credential  # which are there for type checkers alone

T = TypeVar("T")

CACHE_CONTROL = "private, max-age=31536000, immutable"
"""An object's bytes never change, and its links are for one person's browser."""

_NOWHERE = "photos/-/readiness"
"""A key that no photo can have: a read of it proves the way there and the signature."""

_AT_ONCE = 4
"""Writes under way at once: each holds its bytes in memory until the store has them."""

_LEAST_RATE = 1024 * 1024
"""Bytes a second that the store takes or gives."""
_LARGE = 4 * 1024 * 1024
_PIECE = 128 * 1024
"""The least that is read at once: more would only be memory."""

_NOT_TO_KEEP = datetime(1970, 1, 1, tzinfo=UTC)
_refuses_who_asks = re.compile(r"status code: 40[013] ").search
"""AWS answers 400 to a token that has expired, and to HEAD it doesn't say that it was that."""


class CredentialSource(Protocol):
    """Who knows with which credentials the store is asked."""

    def current(self) -> Credentials:
        """Give those of the moment; asked from obstore's threads, for each call."""

    async def renew(self, refused: Credentials) -> bool:
        """Look for others, since the store refused these; tell whether there are any."""


class Storage:
    """One bucket. Every call ends within `timeout`, or raises StorageUnavailable.

    One that carries many bytes has a second more for each mebibyte of them.

    Each call is signed by the credentials of its moment. One that is refused for them is repeated,
    once, if `credentials` finds others.
    """

    def __init__(
        self,
        access: Access,
        credentials: CredentialSource,
        *,
        timeout: timedelta,
    ) -> None:
        self.calls = Calls()
        self._credentials = credentials
        self._timeout = timeout.total_seconds()
        self._create = access.conditional_writes
        self._writing = asyncio.Semaphore(_AT_ONCE)
        self._store = self._opened(access, timeout)
        # A request's own timeout can't be told for each: for large ones `_answering` has it alone.
        self._patient = self._opened(access, timedelta(hours=1))

    def _opened(self, access: Access, timeout: timedelta) -> S3Store:
        return S3Store(
            access.bucket,
            config=_config(access),
            # Keys given plainly would be joined by a session token from our environment.
            credential_provider=self._signing,
            client_options={
                "allow_http": True,
                "connect_timeout": timedelta(seconds=1),
                "timeout": timeout,
            },
            retry_config={
                "max_retries": 3,
                "retry_timeout": timeout,
                "backoff": {
                    "init_backoff": timedelta(milliseconds=50),
                    "max_backoff": timedelta(seconds=1),
                    "base": 2,
                },
            },
        )

    async def put(
        self, key: str, data: bytes | mmap, *, content_type: str, same_size: bool = True
    ) -> None:
        """Write an object whole or not at all; the store checks its SHA-256, if it can.

        The key must be one that is never used again: where the store has conditional writes,
        what already lies there is not replaced, and counts as written if it has the same size
        (a first try whose answer was lost), or any size if that may differ.
        """
        async with self._answering("put", len(data)), self._writing:
            try:
                await self._accepted(lambda: self._put_twice(key, data, content_type))
            except AlreadyExistsError:
                if not same_size:
                    return
                meta = await self._store.head_async(key)
                if meta["size"] != len(data):
                    raise

    async def _put_twice(self, key: str, data: bytes | mmap, content_type: str) -> None:
        """Repeat once what obstore doesn't: a PUT whose connection closed half-way."""
        store = self._patient if len(data) > _LARGE else self._store
        for last in (False, True):
            try:
                await store.put_async(
                    key,
                    data,
                    attributes={"Content-Type": content_type, "Cache-Control": CACHE_CONTROL},
                    mode="create" if self._create else "overwrite",
                    use_multipart=False,
                )
            except GenericError:
                if last:
                    raise
            else:
                return

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects by their keys, a thousand in a call; those that are not there count too.

        Some of them may be gone when this raises.
        """
        async with self._answering("delete"):
            await self._accepted(lambda: self._store.delete_async(list(keys)))

    async def fetch(
        self, key: str, write: Callable[[bytes], object], *, size: int | None = None
    ) -> int:
        """Read an object, and hand its bytes to `write`, piece by piece; gives their number.

        If `size` is told, an object of another size isn't read, but its own is given all the same.
        Raises NotFound.
        """
        async with self._answering("get", size or 0):
            try:
                found = await self._accepted(lambda: self._patient.get_async(key))
            except FileNotFoundError as error:
                raise NotFound from error
            whole = found.meta["size"]
            if size is None or whole == size:
                read = 0
                async for piece in found.stream(min_chunk_size=_PIECE):
                    read += len(piece)
                    write(bytes(piece))
                if read != whole:
                    raise StorageUnavailable from RuntimeError(f"{read} bytes came of {whole}")
            return whole

    async def delete_prefix(self, prefix: str) -> None:
        """Delete every object whose key begins with the prefix; none is no error."""
        if not prefix.endswith("/"):
            raise ValueError("a prefix ends with '/', lest it match more than it names")
        async with self._answering("delete_prefix"):
            await self._accepted(lambda: self._empty(prefix))

    async def _empty(self, prefix: str) -> None:
        async for batch in self._store.list(prefix):
            await self._store.delete_async([meta["path"] for meta in batch])

    async def size(self, key: str) -> int | None:
        """Tell how many bytes an object has; None if there is none."""
        async with self._answering("head"):
            try:
                return (await self._accepted(lambda: self._store.head_async(key)))["size"]
            except FileNotFoundError:
                return None

    async def ping(self) -> None:
        """Return if the store answers a signed request."""
        await self.size(_NOWHERE)

    async def lists(self) -> bool:
        """Whether the bucket is known to be there: it lets us list it."""
        try:
            async with self._answering("list"):
                async for _ in self._store.list(f"{_NOWHERE}/"):
                    break
        except StorageUnavailable:
            return False
        return True

    async def _accepted(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call, and call again with other credentials if the store refuses ours and there are."""
        used = self._credentials.current()
        try:
            return await call()
        except BaseError as error:
            if not (_is_refusal(error) and await self._credentials.renew(used)):
                raise
        return await call()

    def _signing(self) -> "S3Credential":
        """Give obstore the credentials of the moment, so old that it asks again for each call."""
        credentials = self._credentials.current()
        return {
            "access_key_id": credentials.access_key,
            "secret_access_key": credentials.secret_key,
            "token": credentials.session_token,
            "expires_at": _NOT_TO_KEEP,
        }

    @asynccontextmanager
    async def _answering(self, verb: str, carried: int = 0) -> AsyncIterator[None]:
        """Count a call, allow for the bytes that it carries, and raise only what is ours."""
        with step(f"storage {verb}"), self.calls.timed(verb):
            try:
                async with asyncio.timeout(self._timeout + carried // _LEAST_RATE):
                    yield
            except (BaseError, FileNotFoundError, TimeoutError) as error:
                self.calls.errors[verb] += 1
                raise StorageUnavailable from error


def _config(access: Access) -> "S3Config":
    config: S3Config = {
        "region": access.region,
        "endpoint": _bucket_endpoint(access) if access.virtual_hosted else access.endpoint_url,
        "virtual_hosted_style_request": access.virtual_hosted,
    }
    if access.checksums:
        config["checksum_algorithm"] = "SHA256"
    else:
        # The body of a POST ?delete is sent with a checksum, whatever is configured.
        config["disable_bulk_delete"] = True
    return config


def _is_refusal(error: BaseError) -> bool:
    """Whether the store may have refused who asks, rather than what is asked for."""
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return True
    return isinstance(error, GenericError) and _refuses_who_asks(str(error)) is not None


def _bucket_endpoint(access: Access) -> str:
    """Put the bucket before the host, as obstore wants a virtual-hosted endpoint to be given."""
    scheme, _, host = access.endpoint_url.partition("://")
    return f"{scheme}://{access.bucket}.{host}"
