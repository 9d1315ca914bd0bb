"""``safelight upload`` and ``safelight import``: upload files, or all photos in folders."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from safelight.cli.options import DEFAULT_JOBS, Jobs, option
from safelight.client.settings import client_settings
from safelight.errors import Invalid, UnsupportedType
from safelight.terminal import print_json, print_note, sanitize

if TYPE_CHECKING:
    from safelight.client.api import Client, Photo
    from safelight.client.files import FolderScan, LocalFile
    from safelight.client.results import UploadResult
    from safelight.client.uploader import IndexedResult

_PHOTO_SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif", ".heic", ".heif"}
)
"""An unsupported file with one of these names is an error; others are skipped."""


def upload(
    files: Annotated[list[Path], Parameter(name="FILE", help="The photos.")],
    /,
    *,
    title: Annotated[str, option("Title.")] = "",
    description: Annotated[str, option("Description.")] = "",
    jobs: Jobs = DEFAULT_JOBS,
    json: Annotated[bool, option("Print results as a JSON array.")] = False,
) -> int:
    """Upload photos, straight to the server's bucket.

    Prints a line per file: added, already there, or the error. If the server is
    busy, the upload is retried a few times.

    Example: safelight upload --title "By the sea" beach.jpg
    """
    from safelight.client.files import inspect_files
    from safelight.client.results import failed_result

    results: list[UploadResult] = []
    photos, rejected = inspect_files(files)
    failed = [(index, failed_result(files[index], error)) for index, error in rejected]
    with _start_uploads(photos, jobs=jobs, title=title, description=description) as uploaded:
        for result in _in_order(chain(failed, uploaded)):
            results.append(result)
            if not json:
                result.print()
    if json:
        print_json([result.as_json() for result in results], indent=2)
    failures = sum(not result.is_done for result in results)
    if failures and len(files) > 1:
        print_note(f"{failures} of {len(files)} files failed.")
    return 1 if failures else 0


def import_(
    folders: Annotated[list[Path], Parameter(name="DIR", help="The folders.")],
    /,
    *,
    jobs: Jobs = DEFAULT_JOBS,
    dry_run: Annotated[bool, option("Print what would be uploaded, and upload nothing.")] = False,
    json: Annotated[bool, option("Print results as a JSON array.")] = False,
) -> int:
    """Upload all photos in folders and their subfolders.

    To resume after an interruption, run the command again: photos that the server
    has are not sent again. Skips other files, hidden files and links to folders.

    Example: safelight import --dry-run holidays
    """
    from safelight.client.files import inspect_files, scan_folders
    from safelight.client.results import UploadSummary

    scan = scan_folders(folders)
    photos, rejected = inspect_files(scan.files, not_links=scan.not_links)
    summary = UploadSummary(hidden=scan.hidden, as_json=json)
    summary.add(_skipped_or_failed(scan, rejected))
    started = nullcontext(_dry_run(photos)) if dry_run else _start_uploads(photos, jobs=jobs)
    try:
        with started as results:
            summary.add(result for _, result in results)
    except KeyboardInterrupt:
        summary.print_interrupted(len(photos))
        raise
    summary.print()
    return 0 if summary.is_done else 1


@contextmanager
def _start_uploads(
    files: "Sequence[LocalFile]", *, jobs: int, title: str = "", description: str = ""
) -> "Iterator[Iterator[IndexedResult]]":
    """Upload files, with a progress bar, while the context lasts; yield the results."""
    from safelight.client.api import Client
    from safelight.client.files import as_utf8
    from safelight.client.progress import show_upload_progress
    from safelight.client.store import StoreClient
    from safelight.client.transfer import DirectAccess, TransferContext
    from safelight.client.uploader import Uploader
    from safelight.models import Caption

    settings = client_settings()
    with ExitStack() as stack:
        context = TransferContext(
            client=stack.enter_context(Client(settings)),
            store=stack.enter_context(closing(StoreClient(authorities=settings.authorities))),
            direct=DirectAccess(print_note),
            stop=threading.Event(),
            answered=threading.Event(),
            caption=Caption(title=as_utf8(title), description=as_utf8(description)),
        )
        size = sum(file.size for file in files)
        progress = stack.enter_context(show_upload_progress(size=size, files=len(files)))
        uploader = Uploader(context, progress, jobs=jobs)
        yield stack.enter_context(closing(uploader.upload(files)))


def _in_order(results: "Iterable[IndexedResult]") -> "Iterator[UploadResult]":
    """Yield results in the order of their files, each as soon as all earlier ones are known."""
    early: dict[int, UploadResult] = {}
    next_index = 0
    for index, result in results:
        early[index] = result
        while next_index in early:
            yield early.pop(next_index)
            next_index += 1


def _skipped_or_failed(
    scan: "FolderScan", rejected: Sequence[tuple[int, OSError | Invalid]]
) -> "Iterator[UploadResult]":
    """Yield the results for what isn't uploaded."""
    from safelight.client.results import NOT_A_PHOTO, UploadResult, failed_result

    for folder in scan.linked_folders:
        yield UploadResult(
            file=str(folder),
            status="skipped",
            code="linked_folder",
            reason="Links to folders are not followed.",
        )
    for folder, error in scan.unreadable:
        yield failed_result(folder, error)
    for index, reason in rejected:
        file = scan.files[index]
        if isinstance(reason, UnsupportedType) and file.suffix.lower() not in _PHOTO_SUFFIXES:
            yield UploadResult(
                file=str(file), status="skipped", code=NOT_A_PHOTO, reason="Not a photo."
            )
        else:
            yield failed_result(file, reason)


def _dry_run(files: "Sequence[LocalFile]") -> "Iterator[IndexedResult]":
    """Hash files, and yield whether the server has each of them."""
    from safelight.client.api import Client
    from safelight.client.progress import FileProgress, show_upload_progress
    from safelight.client.results import UploadResult, failed_result

    size, stop = sum(file.size for file in files), threading.Event()
    with (
        Client(client_settings()) as client,
        show_upload_progress(size=size, files=len(files)) as progress,
    ):
        known = _KnownPhotos(client)
        for file in files:
            file_progress = FileProgress(progress, sanitize(file.path.name), file.size)
            try:
                sha256 = file.digest(stop).sha256
            except OSError as error:
                result = failed_result(file.path, error)
            else:
                is_known, photo = known.find_or_add(sha256)
                result = UploadResult(
                    file=str(file.path), status="existing" if is_known else "new", photo=photo
                )
            file_progress.finish()
            yield file.index, result


class _KnownPhotos:
    """The photos that the server has, or would have by now in a real run, by SHA-256."""

    def __init__(self, client: "Client") -> None:
        self._pages = client.pages(order="added", limit=None)
        self._photos: dict[str, Photo | None] = {}

    def find_or_add(self, sha256: str) -> "tuple[bool, Photo | None]":
        """Return whether these bytes are known, and their photo if it exists; then add them."""
        while sha256 not in self._photos and (page := next(self._pages, None)) is not None:
            for photo in page:
                self._photos.setdefault(str(photo.get("sha256")), photo)
        is_known = sha256 in self._photos
        return is_known, self._photos.setdefault(sha256, None)
