"""What an import would do, without doing it: files are read, and nothing is sent."""

import threading
from collections.abc import Iterator, Sequence

from safelight.cli.client import Client, Photo
from safelight.cli.client_settings import ClientSettings
from safelight.cli.outcome import Outcome, failed
from safelight.cli.picture import Picture
from safelight.cli.progress import Share, progress
from safelight.cli.sending import Told
from safelight.cli.terminal import plain


def rehearsed(settings: ClientSettings, pictures: Sequence[Picture]) -> Iterator[Told]:
    """Tell of each picture whether it is there already, or new."""
    total, stop = sum(picture.size for picture in pictures), threading.Event()
    with Client(settings) as client, progress(total, len(pictures)) as bar:
        shelf = _Shelf(client)
        for picture in pictures:
            share = Share(bar, plain(picture.path.name), picture.size)
            try:
                outcome = shelf.outcome(picture, picture.digest(stop).sha256)
            except OSError as error:
                outcome = failed(picture.path, error)
            share.end()
            yield picture.place, outcome


class _Shelf:
    """The photos that are there, or would be by now, by their SHA-256."""

    def __init__(self, client: Client) -> None:
        self._pages = client.pages(order="added", limit=None)
        self._there: dict[str, Photo | None] = {}

    def outcome(self, picture: Picture, sha256: str) -> Outcome:
        self._look_for(sha256)
        if sha256 in self._there:
            return Outcome(file=str(picture.path), outcome="existing", photo=self._there[sha256])
        self._there[sha256] = None
        return Outcome(file=str(picture.path), outcome="new")

    def _look_for(self, sha256: str) -> None:
        """Leaf through the server's photos, as far as it takes."""
        while sha256 not in self._there and (page := next(self._pages, None)) is not None:
            for photo in page:
                self._there.setdefault(str(photo.get("sha256")), photo)
