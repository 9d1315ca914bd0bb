"""All errors of Safelight, in one tree.

::

    SafelightError
    ├── Refused                     the request can't be fulfilled in this state
    │   ├── Unauthenticated         401 unauthenticated
    │   ├── ForbiddenOrigin         403 forbidden_origin
    │   ├── UnknownHost             400 unknown_host
    │   ├── NotFound                404 not_found
    │   ├── MethodNotAllowed        405 method_not_allowed
    │   ├── TooManyAttempts         429 too_many_attempts
    │   ├── TooManyUploads          429 too_many_uploads
    │   ├── UploadIncomplete        409 upload_incomplete
    │   ├── RangeNotSatisfiable     416 range_not_satisfiable
    │   └── RequestTimeout          408 request_timeout
    ├── Invalid                     the input is not acceptable
    │   ├── InvalidRequest          422 invalid_request
    │   ├── TooLarge                413 too_large
    │   ├── UnsupportedType         415 unsupported_type
    │   ├── EmptyFile               422 empty_file
    │   ├── CorruptImage            422 corrupt_image
    │   ├── TooManyPixels           422 too_many_pixels
    │   ├── TooManyFrames           422 too_many_frames
    │   └── ChecksumMismatch        422 checksum_mismatch
    ├── Unavailable                 nothing was stored; retry after `retry_after`
    │   ├── Busy                    503 busy
    │   ├── StorageUnavailable      503 storage_unavailable
    │   ├── CatalogUnavailable      503 catalog_unavailable
    │   └── StorageFull             503 storage_full
    ├── OperatorError               for operators; clients never see these
    │   ├── SettingsError           500 settings
    │   └── EngineError             500 engine
    └── UsageError                  500 usage: a mistake in the program that uses the library

`code` is stable and public, `status` is that of the HTTP response, and clients may see the message
(`str(error)`), unless the status is 500. What they must not see (an engine's own message, a path,
an address) goes into `__cause__`, by ``raise … from``.
"""

from datetime import timedelta
from typing import ClassVar


class SafelightError(Exception):
    """The base of all errors."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    text: ClassVar[str] = "Something went wrong."
    retry_after: timedelta | None = None
    """When a retry may succeed; None if waiting doesn't help."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.text)


class Refused(SafelightError):
    """The request can't be fulfilled in this state."""


class Unauthenticated(Refused):
    """The request has no valid token or session."""

    code = "unauthenticated"
    status = 401
    text = "A valid token is required. Send it as 'Authorization: Bearer TOKEN', or sign in."


class ForbiddenOrigin(Refused):
    """A page of another origin requested a change."""

    code = "forbidden_origin"
    status = 403
    text = "Changes are only accepted from this site's own pages or a configured origin."


class UnknownHost(Refused):
    """The request was sent to a host name that is not configured."""

    code = "unknown_host"
    status = 400
    text = "This host name is not configured. Add it to SAFELIGHT_ALLOWED_HOSTS."


class NotFound(Refused):
    """The photo doesn't exist or belongs to another owner; the response is the same for both."""

    code = "not_found"
    status = 404
    text = "There is no such photo."


class MethodNotAllowed(Refused):
    """The resource doesn't support this method."""

    code = "method_not_allowed"
    status = 405
    text = "This address does not support this method."


class TooManyAttempts(Refused):
    """Too many failed sign-ins: wrong tokens or codes."""

    code = "too_many_attempts"
    status = 429
    text = "Too many failed sign-ins. Wait a minute before the next attempt."

    def __init__(
        self, message: str | None = None, *, retry_after: timedelta = timedelta(seconds=60)
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TooManyUploads(Refused):
    """The owner has reached the maximum number of open uploads."""

    code = "too_many_uploads"
    status = 429
    text = "Too many uploads are open. Complete or abort some, or wait until they expire."
    retry_after = timedelta(minutes=15)


class UploadIncomplete(Refused):
    """An upload was completed before all of its bytes had arrived."""

    code = "upload_incomplete"
    status = 409
    text = "Some bytes of this upload are missing. Send the rest, then complete it."


class RangeNotSatisfiable(Refused):
    """The requested range begins after the last byte."""

    code = "range_not_satisfiable"
    status = 416
    text = "The range begins after the end of the file. Download it again from its start."


class RequestTimeout(Refused):
    """The body stalled, or was too slow."""

    code = "request_timeout"
    status = 408
    text = "The upload stalled. Send it again."


class Invalid(SafelightError):
    """The input is not acceptable."""


class InvalidRequest(Invalid):
    """The request does not match the documentation."""

    code = "invalid_request"
    status = 422
    text = "The request does not match the documentation."


class TooLarge(Invalid):
    """More bytes than the limit allows."""

    code = "too_large"
    status = 413
    text = "The upload is too large."


class UnsupportedType(Invalid):
    """The bytes are in none of the accepted formats, whatever the file name or Content-Type."""

    code = "unsupported_type"
    status = 415
    text = "Unsupported format. Upload JPEG, PNG, GIF, WebP, AVIF or HEIC."


class EmptyFile(Invalid):
    """The file has no bytes."""

    code = "empty_file"
    status = 422
    text = "The file is empty."


class CorruptImage(Invalid):
    """The bytes start like an accepted format, but can't be decoded completely."""

    code = "corrupt_image"
    status = 422
    text = "This photo is damaged and can't be decoded."


class TooManyPixels(Invalid):
    """The image has more pixels than the limit."""

    code = "too_many_pixels"
    status = 422
    text = "This photo has too many pixels."


class TooManyFrames(Invalid):
    """The animation has more frames, or more pixels in all frames, than the limit."""

    code = "too_many_frames"
    status = 422
    text = "This animation has too many frames."


class ChecksumMismatch(Invalid):
    """The bytes don't have the declared SHA-256."""

    code = "checksum_mismatch"
    status = 422
    text = "The bytes don't have the declared SHA-256. Send them again."


class Unavailable(SafelightError):
    """A backend is down or overloaded. Nothing was stored; retry after `retry_after`."""

    retry_after: timedelta

    def __init__(
        self, message: str | None = None, *, retry_after: timedelta = timedelta(seconds=5)
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Busy(Unavailable):
    """Too much work is waiting."""

    code = "busy"
    status = 503
    text = "Too many uploads are waiting. Try again in a few seconds."


class StorageUnavailable(Unavailable):
    """The object store doesn't answer in time."""

    code = "storage_unavailable"
    status = 503
    text = "The photo store is not responding. Try again in a few seconds."


class CatalogUnavailable(Unavailable):
    """The database doesn't answer in time."""

    code = "catalog_unavailable"
    status = 503
    text = "The database is not responding. Try again in a few seconds."


class StorageFull(Unavailable):
    """There is no disk space left."""

    code = "storage_full"
    status = 503
    text = "There is no space left for uploads. Try again later."


class OperatorError(SafelightError):
    """A problem that only the operator can fix; the message explains how."""


class SettingsError(OperatorError):
    """The settings are invalid."""

    code = "settings"


class EngineError(OperatorError):
    """An embedded engine can't be started, or keeps failing."""

    code = "engine"


class UsageError(SafelightError, RuntimeError):
    """The program uses the library in a way that can't work; the message explains how to do it."""

    code = "usage"


def client_errors(root: type[SafelightError] = SafelightError) -> list[type[SafelightError]]:
    """List the errors that clients can get, by their place in the tree."""
    below = [error for kind in root.__subclasses__() for error in client_errors(kind)]
    return below if root.status == SafelightError.status else [root, *below]


def format_size(count: int) -> str:
    """Return a number of bytes for people, like "2 GB", "5 MB" or "64 KB"."""
    megabytes = min(count, 2**63) / 1024 / 1024  # a client may declare more than a float can be
    if megabytes >= 1000:
        return f"{megabytes / 1024:.3g} GB"
    if megabytes >= 1:
        return f"{megabytes:.3g} MB"
    return f"{count // 1024} KB" if count >= 1024 else f"{count} bytes"
