"""Signed links to photos that stay the same for a whole window, in every process.

A link is signed for the start of the photo's current window, not for the current time, so that a
second request returns the same URL and browsers can use their cache. The photo's random storage id
decides when its windows start: all links of one photo change together, those of a gallery don't.
Processes share no state: the URL follows from settings, credentials, key and clock.

A link expires with the credentials that signed it. When these expire sooner than a link would, the
signing date is their expiry less a link's lifetime. Such a link has the credentials' expiry as
its own, and stays the same until the credentials change.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from safelight.errors import StorageUnavailable
from safelight.keys import match_photo
from safelight.settings import LinkSettings
from safelight.signing.attachments import as_attachment
from safelight.signing.refresh import MIN_REMAINING
from safelight.signing.sigv4 import Address, Credentials, Presigner, Style

if TYPE_CHECKING:
    from functools import _lru_cache_wrapper

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_DAY = 86_400
_NEVER = 1 << 62
_MIN_REMAINING_SECONDS = MIN_REMAINING // _SECOND
_RETRY = timedelta(seconds=30)
_DOWNLOAD_LIFETIME = 900
_DATE = len("20130524T000000Z")
_SIGNATURE = 64


class LinkParts(NamedTuple):
    """The URL of a link is these parts, joined.

    Links to one photo at one time differ only in `path`, the last segment of the key, and
    `signature`. `base`, `before` and `after` are those of all links that are signed on one day, for
    one endpoint and with one set of credentials.
    """

    base: str
    folder: str
    path: str
    before: str
    date: str
    after: str
    signature: str


class Link(NamedTuple):
    """A URL from which anyone can GET one object (or by which they can send HEAD for it).

    It is a tuple, and `expires` a number (seconds since 1970), since creating a frozen dataclass
    with a datetime takes a tenth of the time of the signature.
    """

    url: str
    expires: int

    @property
    def expires_at(self) -> datetime:
        """When the link expires, in UTC."""
        return datetime.fromtimestamp(self.expires, UTC)

    @property
    def signature(self) -> str:
        """The last part of the URL."""
        return self.url[-_SIGNATURE:]

    @property
    def parts(self) -> LinkParts:
        """The parts of the URL."""
        address, mark, query = self.url.partition("?")
        root, storage_id, path = address.rsplit("/", 2)
        before, name, rest = query.partition("X-Amz-Date=")
        date, after = rest[:_DATE], rest[_DATE:-_SIGNATURE]
        start = mark + before + name
        return LinkParts(f"{root}/", f"{storage_id}/", path, start, date, after, self.signature)


LinkMethod = Literal["GET", "HEAD"]

_CacheKey = tuple[str, str]


class CurrentCredentials(Protocol):
    """What has the credentials to sign with, which may change."""

    @property
    def current(self) -> Credentials:
        """The current ones."""


class LinkSigner:
    """Signs links, and caches at most `settings.cache_size` of them.

    A returned link is valid for at least `lifetime` less `window`, or as long as its credentials.
    Credentials that expire within MIN_REMAINING sign nothing: StorageUnavailable. `credentials` are
    read for each link; when they change, the cache is cleared. `endpoint` is where browsers
    reach the store. `clock` returns aware datetimes, and may go back. `signed` and `reused` count
    links. For use from one thread. Raises ValueError for an endpoint that can never be signed for:
    one with a path, or virtual-hosted style on an IP address.
    """

    _presigner: "_lru_cache_wrapper[Presigner]"
    _recent: dict[_CacheKey, Link]
    _older: dict[_CacheKey, Link]

    def __init__(
        self,
        settings: LinkSettings,
        *,
        credentials: CurrentCredentials,
        clock: Callable[[], datetime],
        endpoint: str,
        bucket: str,
        region: str = "us-east-1",
        style: Style = "path",
    ) -> None:
        self._lifetime = settings.lifetime // _SECOND
        self._window = settings.window // _SECOND
        self._min_validity = self._lifetime - self._window
        self._half_cache_size = settings.cache_size // 2
        self._source = credentials
        self._clock = clock
        self.endpoint = endpoint
        self._bucket = bucket
        self._region = region
        self._style: Style = style
        self.signed = self.reused = 0
        self._set_credentials(credentials.current)
        self._presigner(endpoint, 0)

    def link(
        self, key: str, storage_id: str, *, endpoint: str | None = None, now: datetime | None = None
    ) -> Link:
        """Return the link to the object `key` of the photo `storage_id`.

        `endpoint` overrides the signer's. `now` (aware) saves reading the clock for each link of a
        page. Raises ValueError if the key is not one of the photo's.
        """
        self._update_credentials()
        seconds = ((now or self._clock()) - _EPOCH) // _SECOND
        return self._link(key, storage_id, endpoint or self.endpoint, seconds)

    def links(
        self,
        keys: Iterable[str],
        storage_id: str,
        *,
        endpoint: str | None = None,
        now: datetime | None = None,
    ) -> list[Link]:
        """Return the links to several objects of a photo, in the order of their keys."""
        self._update_credentials()
        seconds = ((now or self._clock()) - _EPOCH) // _SECOND
        sign = partial(
            self._link, storage_id=storage_id, endpoint=endpoint or self.endpoint, seconds=seconds
        )
        return list(map(sign, keys))

    def _link(self, key: str, storage_id: str, endpoint: str, seconds: int) -> Link:
        cache_key = (key, endpoint)
        link = self._recent.get(cache_key) or self._older.get(cache_key)
        if link is None or not (
            self._min_validity < link.expires - seconds <= self._lifetime
            if seconds < self._short_from
            else link.expires == self._credentials_expire and seconds <= self._last_second
        ):
            if not ((match := match_photo(key)) and match[1] == storage_id):
                raise ValueError("the key is not one of the photo's")
            start = self._signing_time(storage_id, seconds)
            url = self._presigner(endpoint, start // _DAY).url(key, start % _DAY)
            link = Link(url, start + self._lifetime)
            self.signed += 1
        else:
            self.reused += 1
            if cache_key in self._recent:
                return link
        if self._half_cache_size:
            # A two-generation LRU: when one half is full, the links not used lately are dropped.
            if len(self._recent) >= self._half_cache_size:
                self._older, self._recent = self._recent, {}
            self._recent[cache_key] = link
        return link

    def origin(self, endpoint: str | None = None) -> str:
        """Return the origin, as browsers see it, of the links for `endpoint`."""
        return Address.of(endpoint or self.endpoint, self._bucket, self._style).origin

    def head(self, key: str, storage_id: str, *, endpoint: str | None = None) -> Link:
        """Return a link for HEAD, valid for 15 minutes. The method is part of every signature.

        Raises ValueError if the key is not one of the photo's.
        """
        return self._sign_now(key, storage_id, {}, method="HEAD", endpoint=endpoint)

    def download(
        self,
        key: str,
        storage_id: str,
        filename: str,
        *,
        method: LinkMethod = "GET",
        endpoint: str | None = None,
    ) -> Link:
        """Return a link, valid for 15 minutes, that saves the object as `filename`.

        Raises ValueError if the key is not one of the photo's.
        """
        query = {"response-content-disposition": as_attachment(filename)}
        return self._sign_now(key, storage_id, query, method=method, endpoint=endpoint)

    def _sign_now(
        self,
        key: str,
        storage_id: str,
        query: Mapping[str, str],
        *,
        method: LinkMethod,
        endpoint: str | None,
    ) -> Link:
        if not ((match := match_photo(key)) and match[1] == storage_id):
            raise ValueError("the key is not one of the photo's")
        self.check()
        seconds = (self._clock() - _EPOCH) // _SECOND
        lifetime = min(_DOWNLOAD_LIFETIME, self._credentials_expire - seconds)
        presigner = Presigner.of(
            self._current,
            Address.of(endpoint or self.endpoint, self._bucket, self._style),
            day=_EPOCH + timedelta(seconds=seconds),
            expires_in=timedelta(seconds=lifetime),
            region=self._region,
            method=method,
            query=query,
        )
        return Link(presigner.url(key, seconds % _DAY), seconds + lifetime)

    def stable_until(self, storage_id: str, now: datetime | None = None) -> datetime:
        """Return the time (UTC) until which the photo's links may be cached.

        That is the end of its window, or when its credentials are about to expire. If these are
        replaced sooner, `link` returns new links, but cached ones stay valid until their own
        `expires_at`, which is at least MIN_REMAINING after the returned time.
        """
        self._update_credentials()
        seconds = ((now or self._clock()) - _EPOCH) // _SECOND
        if seconds >= self._short_from:
            return datetime.fromtimestamp(self._last_second + 1, UTC)
        window_end = self._signing_time(storage_id, seconds) + self._window
        return datetime.fromtimestamp(min(window_end, self._short_from), UTC)

    def check(self) -> None:
        """Check that links can be signed now. Raises StorageUnavailable otherwise."""
        self._update_credentials()
        self._signing_time("0", (self._clock() - _EPOCH) // _SECOND)

    def _signing_time(self, storage_id: str, seconds: int) -> int:
        """Return the start of the window, or the date whose links expire with the credentials."""
        if seconds < self._short_from:
            return seconds - (seconds - int(storage_id, 16)) % self._window
        if seconds > self._last_second:
            raise StorageUnavailable(
                "Links can't be signed right now. Try again in a minute.", retry_after=_RETRY
            ) from RuntimeError(f"the credentials expire at {self._current.expires_at}")
        return self._credentials_expire - self._lifetime

    def _update_credentials(self) -> None:
        credentials = self._source.current
        if credentials is not self._current and credentials != self._current:
            self._set_credentials(credentials)

    def _set_credentials(self, credentials: Credentials) -> None:
        """Sign with these credentials from now on, and clear the cache."""
        self._current = credentials
        end = credentials.expires_at
        self._credentials_expire = _NEVER if end is None else (end - _EPOCH) // _SECOND
        self._last_second = self._credentials_expire - _MIN_REMAINING_SECONDS
        """The last second at which these credentials sign links."""
        self._short_from = min(self._credentials_expire - self._lifetime, self._last_second + 1)
        """From this second on, a link with a full lifetime would outlive the credentials."""
        self._recent = {}
        self._older = {}
        # Bounded, since an endpoint may come from a request's Host header.
        self._presigner = lru_cache(maxsize=64)(partial(self._make_presigner, credentials))

    def _make_presigner(self, credentials: Credentials, endpoint: str, day: int) -> Presigner:
        return Presigner.of(
            credentials,
            Address.of(endpoint, self._bucket, self._style),
            day=_EPOCH + timedelta(days=day),
            expires_in=timedelta(seconds=self._lifetime),
            region=self._region,
        )
