"""A picture's way to the server: straight to its bucket, or by form where that way is closed."""

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from safelight.cli.client import Client, NoDirectUploads, Photo
from safelight.cli.picture import Digest, Picture, Reading
from safelight.cli.progress import Share
from safelight.cli.reservation import Reservation
from safelight.cli.store import DoorClosed, NotPermitted, Store
from safelight.errors import Invalid, NotFound, SafelightError, Unavailable, UploadIncomplete
from safelight.photo import Caption

_STRIKES: Final = 2
"""Refusals of what the server has signed, before anything was taken, that close the door."""


class Door:
    """The way straight to the bucket. It is open until it turns out to be closed, once for all."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._is_open = True
        self._was_used = False
        self._strikes = 0

    @property
    def is_open(self) -> bool:
        """Whether to go by it."""
        return self._is_open

    def used(self) -> None:
        """Note that somebody came through, so that it is open for all."""
        self._was_used = True

    def refused(self, error: SafelightError) -> None:
        """Note that the store didn't take what was signed. Raises DoorClosed if it never does."""
        with self._lock:
            self._strikes += 1
        if not self._was_used and self._strikes >= _STRIKES:
            raise DoorClosed(str(error).rstrip(".")) from error

    def close(self, reason: str) -> None:
        """Close it, and tell so the first time."""
        with self._lock:
            was_open, self._is_open = self._is_open, False
        if was_open:
            self._tell(f"Files go by the server, and not straight to its bucket: {reason}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """What deliveries share: the server, its store, and the door to that.

    `stop` is set to end all that is under way, `answered` once the server has answered anybody.
    """

    client: Client
    store: Store
    door: Door
    stop: threading.Event
    answered: threading.Event
    caption: Caption


class Delivery:
    """One picture's way. What was done of it stays done from one try to the next."""

    def __init__(self, ways: Ways, picture: Picture, digest: Digest, share: Share) -> None:
        self._ways = ways
        self._picture = picture
        self._digest = digest
        self._share = share
        self._upload: Reservation | None = None
        self._is_sent = False
        self._store_id = ""
        self._etags: dict[int, str] = {}
        self._was_refused = False

    def attempt(self) -> tuple[Photo, bool]:
        """Try, or go on; gives the photo, and whether it's new.

        Raises Invalid, OSError, Stopped; and what may pass, if it is tried again.
        """
        try:
            return self._by_whatever_way()
        except Invalid:
            self._ways.answered.set()
            raise

    def give_up(self) -> None:
        """Leave nothing behind, as far as that can be done at once."""
        upload = self._upload
        self._begin_anew()
        if upload is not None:
            with contextlib.suppress(SafelightError):
                self._ways.client.abort(upload)

    def _by_whatever_way(self) -> tuple[Photo, bool]:
        if self._ways.door.is_open:
            try:
                return self._directly()
            except NoDirectUploads:
                self._ways.door.close("it is older than that")
            except DoorClosed as closed:
                self._ways.door.close(str(closed))
                self.give_up()
        return self._by_form()

    def _by_form(self) -> tuple[Photo, bool]:
        self._share.rewind()
        with self._reading() as file:
            added = self._ways.client.add(
                file,
                self._picture.filename,
                title=self._ways.caption.title,
                description=self._ways.caption.description,
            )
        self._ways.answered.set()
        return added

    def _directly(self) -> tuple[Photo, bool]:
        if self._upload is None:
            reserved = self._reserved()
            self._ways.answered.set()
            if isinstance(reserved, dict):
                return reserved, False
            self._upload = reserved
        try:
            if not self._is_sent:
                self._send(self._upload)
            added = self._ways.client.complete(self._upload)
        except Invalid:
            if self._is_sent:
                self._begin_anew()  # the server has ended the upload by itself
            raise
        except (NotPermitted, NotFound, UploadIncomplete) as error:
            self._settle_for_another_try(error)
            raise Unavailable(str(error), retry_after=timedelta(seconds=1)) from error
        self._ways.door.used()
        self._upload = None
        return added

    def _settle_for_another_try(self, error: SafelightError) -> None:
        """Keep the parts that have arrived, once; else begin anew. Raises DoorClosed."""
        if isinstance(error, NotPermitted) and self._etags and not self._was_refused:
            self._was_refused = True
            return
        self.give_up()
        self._ways.door.refused(error)

    def _reserved(self) -> Reservation | Photo:
        return self._ways.client.reserve(
            filename=self._picture.filename,
            content_type=self._picture.content_type,
            size=self._digest.size,
            sha256=self._digest.sha256,
            title=self._ways.caption.title,
            description=self._ways.caption.description,
        )

    def _send(self, upload: Reservation) -> None:
        """Send all bytes, or those parts that have not arrived."""
        self._share.rewind()
        with self._reading() as file:
            if upload.permit:
                pieces = file.pieces(0, self._digest.size)
                self._ways.store.put(upload.permit, pieces, self._digest.size)
            else:
                self._send_parts(upload, file)
            file.check()
        self._is_sent = True

    def _send_parts(self, upload: Reservation, file: Reading) -> None:
        client, store = self._ways.client, self._ways.store
        if not self._store_id:
            self._store_id = store.create(client.sign(upload, "create"))
        else:
            self._find_arrived(upload)
        for number in range(1, upload.parts + 1):
            start, length = self._extent(upload, number)
            if number in self._etags:
                self._share.advance(length)
                continue
            permit = client.sign(upload, "part", part_number=number, upload_id=self._store_id)
            self._etags[number] = store.put(permit, file.pieces(start, length), length)
        permit = client.sign(upload, "complete", upload_id=self._store_id)
        with contextlib.suppress(NotPermitted):  # done before, by a try whose answer was lost
            store.complete(permit, self._etags)

    def _find_arrived(self, upload: Reservation) -> None:
        """Ask the store which parts it has, since who was cut off can't know."""
        permit = self._ways.client.sign(upload, "list", upload_id=self._store_id)
        try:
            arrived = self._ways.store.arrived(permit)
        except NotPermitted:  # there is no such upload any more if it was put together
            return
        self._etags = {
            number: etag
            for number, (etag, size) in arrived.items()
            if 1 <= number <= upload.parts and size == self._extent(upload, number)[1]
        }

    def _extent(self, upload: Reservation, number: int) -> tuple[int, int]:
        start = (number - 1) * upload.part_size
        return start, min(upload.part_size, self._digest.size - start)

    def _reading(self) -> Reading:
        return Reading(self._picture.path, self._digest, self._share, self._ways.stop)

    def _begin_anew(self) -> None:
        self._upload = None
        self._is_sent = False
        self._store_id = ""
        self._etags = {}
        self._was_refused = False
