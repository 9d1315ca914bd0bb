"""Sign links to photos."""

from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

from safelight import keys
from safelight.errors import NotFound
from safelight.imaging.formats import FORMATS
from safelight.imaging.presets import (
    awaited_for_display,
    choose,
    digest,
    display_rendition,
    not_for_display,
)
from safelight.library.captions import download_filename
from safelight.library.lifecycle import LibraryLifecycle
from safelight.models import Photo
from safelight.signing.links import Link, LinkMethod


class PhotoLinks(NamedTuple):
    """The links to a photo; `renditions` has one for each of the photo's renditions.

    `display` is the one to show, as by `Library.link`, and `shown` its name. All stay the same
    until `stable_until`, UTC.
    """

    original: Link
    display: Link
    renditions: list[Link]
    stable_until: datetime
    shown: str = "original"


class LinkMethods(LibraryLifecycle):
    """The methods that sign links."""

    def link(
        self,
        photo: Photo,
        rendition: str | None = None,
        *,
        method: LinkMethod = "GET",
        endpoint: str | None = None,
        now: datetime | None = None,
    ) -> Link:
        """Sign a link to `original`, or to a rendition by name. Raises NotFound.

        The default is what to show in a browser: the original, or the largest rendition made
        unasked if browsers don't show the original as it should be, or if it contains a location.
        An original with a location is linked to only by its name: if there is no rendition yet, the
        link works once `render` or `rendition` has made it. Of the names, only those of renditions
        that have been made are found: call `rendition` for others. A store accepts a link with its
        own method only; a link for HEAD is valid for 15 minutes. `endpoint` is where the client
        reaches the store, if not at the configured one. Raises StorageUnavailable while the
        embedded store is being restarted.
        """
        key = self._key(photo, rendition)
        self.backends.bucket.require_running()
        if method == "HEAD":
            return self.backends.link_signer.head(key, photo.storage_id, endpoint=endpoint)
        return self.backends.link_signer.link(key, photo.storage_id, endpoint=endpoint, now=now)

    async def rendition(self, photo: Photo, name: str) -> Link:
        """Return a link to a rendition of this name, which is made first if it is missing.

        It is made once, however many ask, and stored. The call reads the photo's row, and waits for
        up to 10 seconds; for a list of photos, name renditions that are made at upload, and use
        `link`. Raises NotFound for a name that no preset has, with those that exist, and for a
        photo that was deleted; CorruptImage if it can't be rendered; Busy if too many are waiting.
        """
        return self.link(await self.renditions.get_or_make(photo.owner, photo.id, name), name)

    def photo_links(
        self, photo: Photo, *, endpoint: str | None = None, now: datetime | None = None
    ) -> PhotoLinks:
        """Sign the links to a photo's original and to each of its renditions."""
        signer = self.backends.link_signer
        objects = [keys.original(photo.storage_id), *map(attrgetter("key"), photo.renditions)]
        count = len(objects)
        name, key = self._displayed(photo)
        if key not in objects:
            objects.append(key)
        stable_until = signer.stable_until(photo.storage_id, now)
        links = signer.links(objects, photo.storage_id, endpoint=endpoint, now=now)
        return PhotoLinks(
            original=links[0],
            display=links[objects.index(key)],
            renditions=links[1:count],
            stable_until=stable_until,
            shown=name,
        )

    def download_link(
        self, photo: Photo, *, method: LinkMethod = "GET", endpoint: str | None = None
    ) -> Link:
        """Sign a link, valid for a few minutes, that saves the original under its file name.

        The name gets the extension of the photo's format, and loses characters that mislead. Raises
        StorageUnavailable while the embedded store is being restarted.
        """
        self.backends.bucket.require_running()
        default = f"photo-{photo.id}"
        format_ = FORMATS.get(photo.facts.format)
        filename = (
            download_filename(photo.filename, format_, default=default) if format_ else default
        )
        key = keys.original(photo.storage_id)
        return self.backends.link_signer.download(
            key, photo.storage_id, filename, method=method, endpoint=endpoint
        )

    def _displayed(self, photo: Photo) -> tuple[str, str]:
        """Return the name and the key of the image to show."""
        presets = self.backends.presets
        if not photo.renditions and (awaited := awaited_for_display(presets, photo)):
            return awaited.name, keys.rendition(photo.storage_id, digest(awaited))
        if shown := display_rendition(photo, not_for_display(presets)):
            return shown.name, shown.key
        return "original", keys.original(photo.storage_id)

    def _key(self, photo: Photo, rendition: str | None) -> str:
        presets = self.backends.presets
        if rendition is None:
            return self._displayed(photo)[1]
        if rendition == "original":
            return keys.original(photo.storage_id)
        made = {each.name: each.key for each in photo.renditions}
        if rendition not in made and (preset := choose(presets, photo.facts, rendition)):
            rendition = preset.name  # the one with all of a photo that is smaller than the preset
        if rendition not in made:
            names = ", ".join(["original", *made])
            others = ", ".join(each.name for each in presets if each.name not in made)
            raise NotFound(
                f"This photo has no rendition {rendition!r}. It has: {names}."
                f"{f' Made on demand: {others}.' if others else ''}"
            )
        return made[rendition]
