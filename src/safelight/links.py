"""Signed links to photos: the same all window long, and in every process.

A link's signing date is not now but the beginning of the photo's current window, so that asking
again gives the same URL and browsers keep their copy. Where windows begin is taken from the
photo's random name: all links of one photo turn over together, those of a gallery do not. Nothing
is shared between processes: the URL follows from settings, credentials, key and clock.

A link dies with the credentials that signed it. So once these end sooner than a link would, the
signing date is their end less a link's lifetime: the link ends when they do, says so, and is the
same until there are others.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import NamedTuple

from safelight.credentials import LEAST_LEFT
from safelight.errors import StorageUnavailable
from safelight.settings import LinkSettings
from safelight.sigv4 import Address, Credentials, Presigner, Style

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_DAY = 86_400
_NEVER = 1 << 62
_LEAST_LEFT = LEAST_LEFT // _SECOND
_RETRY = timedelta(seconds=30)


class Link(NamedTuple):
    """A URL that gives one object to whoever has it, by GET.

    A tuple, and `expires` a plain number (seconds since 1970), since a frozen value with a date
    in it takes a tenth as long to make as the signature.
    """

    url: str
    expires: int

    @property
    def expires_at(self) -> datetime:
        """Until when the store honours it, in UTC."""
        return datetime.fromtimestamp(self.expires, UTC)


_Place = tuple[str, str]


class Links:
    """Signs links, and keeps at most `settings.cache_size` of them in memory.

    A link handed out is good for at least `lifetime` less `window`, or as long as its credentials;
    those that end in less than LEAST_LEFT sign none: StorageUnavailable. `endpoint` is where those
    who hold a link reach the store. `credentials` is asked for each link; when it answers with
    others, what was kept is dropped. `clock` gives aware datetimes, and may go back. For use from
    one thread; `signed` and `reused` count. What can never be signed for (an endpoint with a path,
    a bucket before an IP address) is a ValueError here.
    """

    def __init__(  # noqa: PLR0913  a link is made of these
        self,
        settings: LinkSettings,
        *,
        credentials: Callable[[], Credentials],
        clock: Callable[[], datetime],
        endpoint: str,
        bucket: str,
        region: str = "us-east-1",
        style: Style = "path",
    ) -> None:
        self._lifetime = settings.lifetime // _SECOND
        self._window = settings.window // _SECOND
        self._margin = self._lifetime - self._window
        self._half = settings.cache_size // 2
        self._credentials = credentials
        self._clock = clock
        self.endpoint = endpoint
        self._bucket = bucket
        self._region = region
        self._style: Style = style
        self.signed = self.reused = 0
        self._turn_to(credentials())
        self._presigner(endpoint, 0)

    def link(
        self, key: str, name: str, *, endpoint: str | None = None, now: datetime | None = None
    ) -> Link:
        """Give the link to the object `key` of the photo `name`.

        `endpoint` overrides the one for all. `now` (aware) saves asking the clock for each link
        of a page. ValueError if the key isn't under the photo's prefix.
        """
        seconds = ((now or self._clock()) - _EPOCH) // _SECOND
        self._follow_credentials()
        place = (key, endpoint or self.endpoint)
        link = self._young.get(place) or self._old.get(place)
        if link is None or not (
            self._margin < link.expires - seconds <= self._lifetime
            if seconds < self._ending
            else link.expires == self._end and seconds <= self._last
        ):
            if not key.startswith(f"photos/{name}/"):
                raise ValueError("the key is not under the photo's prefix")
            start = self._start(name, seconds)
            url = self._presigner(place[1], start // _DAY).url(key, start % _DAY)
            link = Link(url, start + self._lifetime)
            self.signed += 1
        else:
            self.reused += 1
            if place in self._young:
                return link
        if self._half:
            self._keep(place, link)
        return link

    def window_of(self, name: str, now: datetime | None = None) -> int:
        """Name the photo's current window: the signing date of its links, in seconds since 1970.

        While it stays the same, so does each link of this photo, for one endpoint and one set of
        credentials. StorageUnavailable where `link` raises it.
        """
        self._follow_credentials()
        return self._start(name, ((now or self._clock()) - _EPOCH) // _SECOND)

    def turns_over_at(self, name: str, now: datetime | None = None) -> datetime:
        """Tell until when the photo's links may be kept and handed out again, in UTC.

        That is until its window ends, or its credentials come near their end. They may have
        successors sooner. Then `link` gives others, but those that were kept are as good as
        before, by their own `expires_at`, and have at least LEAST_LEFT to live when this is over.
        """
        self._follow_credentials()
        seconds = ((now or self._clock()) - _EPOCH) // _SECOND
        if seconds >= self._ending:
            return datetime.fromtimestamp(self._last + 1, UTC)
        turn = self._start(name, seconds) + self._window
        return datetime.fromtimestamp(min(turn, self._ending), UTC)

    def check(self) -> None:
        """Return if links can be signed now. Raises StorageUnavailable where `link` does."""
        self.window_of("0")

    def _start(self, name: str, seconds: int) -> int:
        """Choose the signing date: the beginning of the window, or what makes it end in time."""
        if seconds < self._ending:
            return seconds - (seconds - int(name, 16)) % self._window
        if seconds > self._last:
            raise StorageUnavailable(
                "Links can't be signed just now: try again shortly.", retry_after=_RETRY
            ) from RuntimeError(f"the credentials end at {self._kept_for.expires_at}")
        return self._end - self._lifetime

    def _follow_credentials(self) -> None:
        credentials = self._credentials()
        if credentials is not self._kept_for and credentials != self._kept_for:
            self._turn_to(credentials)

    def _turn_to(self, credentials: Credentials) -> None:
        """Sign by `credentials` from now on; what others signed is dropped."""
        self._kept_for = credentials
        end = credentials.expires_at
        self._end = _NEVER if end is None else (end - _EPOCH) // _SECOND
        self._last = self._end - _LEAST_LEFT
        """The last second at which they sign links."""
        self._ending = min(self._end - self._lifetime, self._last + 1)
        """The first at which a link of full life would outlive them, or they sign no more."""
        self._young: dict[_Place, Link] = {}
        self._old: dict[_Place, Link] = {}
        # Bounded, since an endpoint may come from a request's Host header.
        self._presigner = lru_cache(maxsize=64)(partial(self._presigner_of, credentials))

    def _presigner_of(self, credentials: Credentials, endpoint: str, day: int) -> Presigner:
        return Presigner.of(
            credentials,
            Address.of(endpoint, self._bucket, self._style),
            day=_EPOCH + timedelta(days=day),
            expires_in=timedelta(seconds=self._lifetime),
            region=self._region,
        )

    def _keep(self, place: _Place, link: Link) -> None:
        """Put it with the young; when these are half of what may be kept, the old are dropped."""
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[place] = link
