"""Signed links to photos: the same all window long, and in every process.

A link's signing date is not now but the beginning of the photo's current window, so that asking
again gives the same URL and browsers keep their copy. Where windows begin is taken from the
photo's random name: all links of one photo turn over together, those of a gallery do not. Nothing
is shared between processes: the URL follows from settings, credentials, key and clock.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import NamedTuple

from safelight.settings import LinkSettings
from safelight.sigv4 import Address, Credentials, Presigner, Style

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_DAY = 86_400


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

    A link handed out is good for at least `lifetime` less `window`. `endpoint` is where those who
    hold a link reach the store. `credentials` is asked for each link; when it answers with others,
    what was kept is dropped. `clock` gives aware datetimes, and may go back. For use from one
    thread. What can never be signed for (an endpoint with a path, a bucket before an IP address)
    is a ValueError here.
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
        credentials = self._credentials()
        if credentials is not self._kept_for and credentials != self._kept_for:
            self._turn_to(credentials)
        place = (key, endpoint or self.endpoint)
        link = self._young.get(place) or self._old.get(place)
        if link is None or not self._margin < link.expires - seconds <= self._lifetime:
            if not key.startswith(f"photos/{name}/"):
                raise ValueError("the key is not under the photo's prefix")
            start = seconds - (seconds - int(name, 16)) % self._window
            url = self._presigner(place[1], start // _DAY).url(key, start % _DAY)
            link = Link(url, start + self._lifetime)
        elif place in self._young:
            return link
        if self._half:
            self._keep(place, link)
        return link

    def window_of(self, name: str, now: datetime | None = None) -> int:
        """Name the photo's current window: its first second, since 1970.

        While it stays the same, so does each link of this photo, for one endpoint and one set of
        credentials.
        """
        seconds = ((now or self._clock()) - _EPOCH) // _SECOND
        return seconds - (seconds - int(name, 16)) % self._window

    def turns_over_at(self, name: str, now: datetime | None = None) -> datetime:
        """Tell when the photo's current window ends, in UTC."""
        return datetime.fromtimestamp(self.window_of(name, now) + self._window, UTC)

    def _turn_to(self, credentials: Credentials) -> None:
        """Sign by `credentials` from now on; what others signed is dropped."""
        self._kept_for = credentials
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
