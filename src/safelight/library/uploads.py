"""Direct uploads: their bytes go from the client to the bucket, and are read once, at the end.

Nothing that a client wrote is ever handed out. Completion copies the bytes out of ``incoming/``
into the spool; what is checked, decoded and stored under ``photos/`` is that copy.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import keys
from safelight.catalog import UploadEnded
from safelight.crash_points import reached
from safelight.darkroom.queue import Queue
from safelight.errors import (
    EmptyFile,
    Invalid,
    InvalidRequest,
    NotFound,
    TooLarge,
    UnsupportedType,
    UploadIncomplete,
)
from safelight.formats import FORMATS
from safelight.library.captions import checked
from safelight.library.incoming import Incoming
from safelight.library.intake import Added, Intake
from safelight.library.parts import Parts
from safelight.library.spool import SpooledUpload
from safelight.library.tasks import clear_later
from safelight.permits import Permit
from safelight.photo import Caption, Photo
from safelight.upload import Upload, UploadStatus

Operation = Literal["create", "part", "list", "complete", "abort"]

TYPES: Final = frozenset(
    {*(form.content_type for form in FORMATS.values()), "image/jpg", "image/heif"}
)
"""What may be declared; the last two are what some clients call image/jpeg and image/heic."""

TO_FINISH: Final = timedelta(hours=1)
"""How long after its signature's end an upload in one request may still arrive and be completed."""

_AT_ONCE: Final = 4
"""Completions under way; of more the darkroom can do no more, and their bytes would lie about."""

_NONE: Final = "There is no such upload."
_NAME = re.compile(r"[0-9a-f]{32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_UPLOAD_ID = re.compile(r"[!-~]{1,1024}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An upload that may be sent now: by `permit`, or in parts if there is none."""

    upload: Upload
    permit: Permit | None


class Uploads:
    """Begins, signs, completes and aborts uploads for their owners."""

    def __init__(
        self,
        parts: Parts,
        intake: Intake,
        incoming: Incoming,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._parts = parts
        self._intake = intake
        self._incoming = incoming
        self._clock = clock
        self._rows = parts.catalog.uploads
        self._turns = Queue(servers=_AT_ONCE, max_waiting=parts.limits.max_waiting)

    async def begin(  # noqa: PLR0913  an upload is made of these
        self,
        owner: str,
        *,
        size: int,
        content_type: str,
        caption: Caption,
        sha256: str | None,
        in_parts: bool,
        endpoint: str | None,
    ) -> Begun | Added:
        """Reserve an upload, or give the photo that has these bytes already."""
        if sha256 is not None and not _SHA256.fullmatch(sha256):
            raise InvalidRequest("The sha256 is 64 characters of lower-case hex.")
        settings, now = self._parts.uploads, self._clock()
        in_parts = in_parts or size > settings.parts_above
        whole = settings.signature_lifetime + TO_FINISH
        upload = Upload(
            name=keys.new_name(),
            owner=owner,
            status=UploadStatus.OPEN,
            caption=checked(caption),
            content_type=self._declared(size, content_type),
            size=size,
            sha256=sha256,
            part_size=settings.part_size if in_parts else None,
            created_at=now,
            expires_at=now + (settings.reservation_lifetime if in_parts else whole),
        )
        if sha256 and (twin := await self._parts.catalog.twin(owner, sha256)):
            return Added(photo=twin, created=False)
        permit = None if in_parts else self._parts.permits.put(upload, endpoint=endpoint)
        await self._rows.reserve(upload, at_most=self._parts.limits.max_open_uploads)
        return Begun(upload=upload, permit=permit)

    async def sign(  # noqa: PLR0913  an operation is made of these
        self,
        owner: str,
        name: str,
        operation: Operation,
        *,
        part_number: int | None,
        upload_id: str | None,
        endpoint: str | None,
    ) -> Permit:
        """Sign one step of an upload in parts, for its key alone."""
        upload = await self._open(owner, name)
        if upload.part_size is None:
            raise InvalidRequest("This upload goes in one request: there is no more to sign.")
        permits = self._parts.permits
        if operation == "create":
            _expect_nothing(upload_id=upload_id, part_number=part_number)
            return permits.create(upload, endpoint=endpoint)
        if upload_id is None or not _UPLOAD_ID.fullmatch(upload_id):
            raise InvalidRequest("The upload_id is the one that the store gave at 'create'.")
        if operation == "part":
            if part_number is None or not 1 <= part_number <= upload.parts:
                raise InvalidRequest(f"The part_number lies between 1 and {upload.parts}.")
            return permits.part(upload, upload_id, part_number, endpoint=endpoint)
        _expect_nothing(part_number=part_number)
        sign = {"list": permits.list, "complete": permits.complete, "abort": permits.abort}
        return sign[operation](upload, upload_id, endpoint=endpoint)

    async def complete(self, owner: str, name: str) -> Added:
        """Make a photo of what was sent; a second time, and at once, it is the same one."""
        self._parts.links.check()  # before anything is stored: an answer without links is a 503
        upload = await self._found(owner, name)
        if upload.photo_id is None:
            async with self._turns.turn():
                if added := await self._completed(owner, name):
                    return added
            upload = await self._found(owner, name)
        if upload.photo_id is None:
            raise NotFound(_NONE)
        photo = await self._parts.catalog.photo(owner, upload.photo_id)
        return Added(photo=photo, created=False)

    async def abort(self, owner: str, name: str) -> None:
        """Give an upload up, and what was sent of it."""
        upload = await self._open(owner, name)
        if not await self._ended(upload, passing="abort"):
            raise NotFound(_NONE)

    async def _completed(self, owner: str, name: str) -> Added | None:
        """Complete one that is open; None if somebody else did, or ended it, meanwhile."""
        upload = await self._found(owner, name)
        if upload.status is not UploadStatus.OPEN:
            return None
        try:
            with self._parts.spool.file() as copy:
                await self._fetch(upload, copy)
                reached("complete: fetched")
                added = await self._taken(upload, copy)
        except UploadEnded:
            return None
        except Invalid:
            if await self._ended(upload, passing="refuse"):
                raise
            return None
        reached("complete: noted")
        await self._incoming.clear_soon(upload, passing="complete")
        return added

    async def _fetch(self, upload: Upload, copy: SpooledUpload) -> None:
        """Copy what was sent. Raises UploadIncomplete or TooLarge, or UploadEnded if it is gone."""
        key = keys.incoming(upload.name)
        try:
            sent = await self._parts.storage.fetch(key, copy.write, size=upload.size)
        except NotFound as error:
            if (await self._found(upload.owner, upload.name)).status is not UploadStatus.OPEN:
                raise UploadEnded from error  # who ended it has cleared it away
            raise UploadIncomplete from error
        if sent < upload.size:
            raise UploadIncomplete
        if sent > upload.size:
            raise TooLarge(f"More than the {upload.size} bytes that were declared have arrived.")

    async def _taken(self, upload: Upload, copy: SpooledUpload) -> Added:
        """Make a photo of the copy, and note it in the same transaction. Raises UploadEnded."""

        async def note(connection: AsyncConnection, photo: Photo) -> None:
            await self._rows.complete(connection, upload.name, photo.id, now=self._clock())
            await clear_later(connection)

        added = await self._intake.admit(
            upload.owner, copy.file, upload.caption, sha256=upload.sha256, along=note
        )
        if not added.created:
            await self._parts.catalog.change(lambda connection: note(connection, added.photo))
        return added

    async def _ended(self, upload: Upload, *, passing: str) -> bool:
        """End an upload that is open, and clear away what was sent; whether it was open."""
        ended = await self._rows.abort(upload.name, now=self._clock(), along=clear_later)
        reached(f"{passing}: upload ended")
        if ended:
            await self._incoming.clear_soon(upload, passing=passing)
        return ended

    async def _open(self, owner: str, name: str) -> Upload:
        """Find one that its client may still send. Raises NotFound."""
        upload = await self._found(owner, name)
        if upload.status is not UploadStatus.OPEN:
            raise NotFound(_NONE)
        return upload

    async def _found(self, owner: str, name: str) -> Upload:
        """Find one that is completed, or open and not over. Raises NotFound."""
        upload = await self._rows.find(owner, name) if _NAME.fullmatch(name) else None
        if upload is not None and (
            upload.status is UploadStatus.COMPLETED
            or (upload.status is UploadStatus.OPEN and self._clock() < upload.expires_at)
        ):
            return upload
        raise NotFound(_NONE)

    def _declared(self, size: int, content_type: str) -> str:
        """Check what is declared; gives the type without parameters, in small letters."""
        plain = content_type.partition(";")[0].strip().lower()
        if plain not in TYPES:
            raise UnsupportedType
        if size < 0:
            raise InvalidRequest("The size is a number of bytes.")
        if size == 0:
            raise EmptyFile
        if size > self._parts.limits.max_direct_bytes:
            limit = self._parts.limits.max_direct_bytes
            raise TooLarge(f"The photo is larger than {limit} bytes.")
        return plain


def _expect_nothing(**given: object) -> None:
    for name, value in given.items():
        if value is not None:
            raise InvalidRequest(f"This operation takes no {name}.")
