"""Everything that Safelight refuses or fails at, as one tree.

::

    SafelightError
    ├── Refused                     the request can't be granted as it stands
    │   ├── Unauthenticated         unauthenticated
    │   ├── ForbiddenOrigin         forbidden_origin
    │   ├── UnknownHost             unknown_host
    │   ├── NotFound                not_found
    │   ├── MethodNotAllowed        method_not_allowed
    │   ├── TooManyAttempts         too_many_attempts
    │   ├── TooManyUploads          too_many_uploads
    │   ├── UploadIncomplete        upload_incomplete
    │   └── RequestTimeout          request_timeout
    ├── Invalid                     what was sent can't be taken
    │   ├── InvalidRequest          invalid_request
    │   ├── TooLarge                too_large
    │   ├── UnsupportedType         unsupported_type
    │   ├── EmptyFile               empty_file
    │   ├── CorruptImage            corrupt_image
    │   ├── TooManyPixels           too_many_pixels
    │   ├── TooManyFrames           too_many_frames
    │   └── ChecksumMismatch        checksum_mismatch
    ├── Unavailable                 nothing was stored; try again after `retry_after`
    │   ├── Busy                    busy
    │   ├── StorageUnavailable      storage_unavailable
    │   ├── CatalogUnavailable      catalog_unavailable
    │   └── StorageFull             storage_full
    └── OperatorError               for whoever runs the program, never for a visitor
        ├── SettingsError           settings
        └── EngineError             engine

`code` is stable and public. The message (`str(error)`) is fit for the public too. What is not
(an engine's own words, a path, an address) goes into `__cause__`, by ``raise … from``.
"""

from datetime import timedelta
from typing import ClassVar


class SafelightError(Exception):
    """Something that Safelight refuses or fails at."""

    code: ClassVar[str] = "error"
    text: ClassVar[str] = "Something went wrong."
    retry_after: timedelta | None = None
    """When trying again may help; None if waiting doesn't."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.text)


class Refused(SafelightError):
    """The request can't be granted as it stands."""


class Unauthenticated(Refused):
    """There is no valid token with the request."""

    code = "unauthenticated"
    text = "A valid token is needed: send it as 'Authorization: Bearer TOKEN', or sign in."


class ForbiddenOrigin(Refused):
    """A change was asked for from a page of another origin."""

    code = "forbidden_origin"
    text = "Changes are accepted only from this site's own pages or from a configured origin."


class UnknownHost(Refused):
    """The request came to a host name that is not configured."""

    code = "unknown_host"
    text = "This host name is not served here: add it to SAFELIGHT_ALLOWED_HOSTS."


class NotFound(Refused):
    """It isn't there, or it belongs to somebody else; which of the two is never said."""

    code = "not_found"
    text = "There is no such photo."


class MethodNotAllowed(Refused):
    """The resource is there, but can't be used by this method."""

    code = "method_not_allowed"
    text = "This method can't be used here."


class TooManyAttempts(Refused):
    """Too many wrong tokens came from one address."""

    code = "too_many_attempts"
    text = "Too many wrong tokens: wait a little before the next try."

    def __init__(
        self, message: str | None = None, *, retry_after: timedelta = timedelta(seconds=60)
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TooManyUploads(Refused):
    """The owner has as many open reservations for uploads as one may have."""

    code = "too_many_uploads"
    text = "Too many uploads are open: complete or abort some, or wait until they expire."
    retry_after = timedelta(minutes=15)


class UploadIncomplete(Refused):
    """An upload was to be completed before all of its bytes are there."""

    code = "upload_incomplete"
    text = "Not all bytes of this upload have arrived: send the rest, then complete it."


class RequestTimeout(Refused):
    """The body stopped arriving, or came too slowly."""

    code = "request_timeout"
    text = "The upload stopped arriving: send it again."


class Invalid(SafelightError):
    """What was sent can't be taken."""


class InvalidRequest(Invalid):
    """The request isn't of the form that is documented for it."""

    code = "invalid_request"
    text = "The request is not of the documented form."


class TooLarge(Invalid):
    """More bytes than the limit allows."""

    code = "too_large"
    text = "The upload is larger than allowed."


class UnsupportedType(Invalid):
    """The bytes are none of the accepted formats, whatever the name or the Content-Type says."""

    code = "unsupported_type"
    text = "This is not a photo of an accepted format: send a JPEG, PNG, GIF, WebP, AVIF or HEIC."


class EmptyFile(Invalid):
    """A file of no bytes."""

    code = "empty_file"
    text = "The file is empty."


class CorruptImage(Invalid):
    """The bytes begin as an accepted format, but can't be decoded to the last line."""

    code = "corrupt_image"
    text = "The photo is damaged: it can't be decoded to its end."


class TooManyPixels(Invalid):
    """The header tells of more pixels than the limit allows."""

    code = "too_many_pixels"
    text = "The photo has more pixels than allowed."


class TooManyFrames(Invalid):
    """The animation has more frames, or more pixels in all its frames, than allowed."""

    code = "too_many_frames"
    text = "The animation has more frames than allowed."


class ChecksumMismatch(Invalid):
    """The bytes that came aren't those whose SHA-256 was declared."""

    code = "checksum_mismatch"
    text = "The bytes that arrived are not those whose SHA-256 was declared: send them again."


class Unavailable(SafelightError):
    """It can't be done now. Nothing was stored; `retry_after` tells when to try again."""

    retry_after: timedelta

    def __init__(
        self, message: str | None = None, *, retry_after: timedelta = timedelta(seconds=5)
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Busy(Unavailable):
    """More work is waiting than is allowed to wait."""

    code = "busy"
    text = "Too many uploads are waiting: try again shortly."


class StorageUnavailable(Unavailable):
    """The object store doesn't answer, or not in time."""

    code = "storage_unavailable"
    text = "The photo store does not answer: try again shortly."


class CatalogUnavailable(Unavailable):
    """The database doesn't answer, or not in time."""

    code = "catalog_unavailable"
    text = "The catalog does not answer: try again shortly."


class StorageFull(Unavailable):
    """There is no space left to put the bytes."""

    code = "storage_full"
    text = "There is no space left for uploads: try again later."


class OperatorError(SafelightError):
    """Something that only whoever runs the program can mend; the message says how."""


class SettingsError(OperatorError):
    """The settings can't be used as they are."""

    code = "settings"


class EngineError(OperatorError):
    """An embedded engine can't be started or kept running."""

    code = "engine"
