"""Download archives into files, and resume where a connection breaks."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, Final

import httpx
import msgspec

from safelight.client.errors import not_safelight
from safelight.client.http import ClientConnection
from safelight.client.responses import CreatedDownload
from safelight.errors import OperatorError, Unavailable

_DOWNLOADS: Final = "api/downloads"
_PATIENCE: Final = 120.0
"""Seconds without a byte until it gives up: a server needs some to start again."""
_PAUSE: Final = 1.0


class ArchiveCalls(ClientConnection):
    """The calls for downloads."""

    def create_download(self, ids: Sequence[int]) -> CreatedDownload:
        """Prepare an archive of photos. Raises NotFound if none of them exists."""
        response = self._request("POST", _DOWNLOADS, json={"ids": list(ids)})
        return msgspec.convert(self._decode(response.content, CreatedDownload), CreatedDownload)

    def save_download(
        self, download: CreatedDownload, path: Path, advance: Callable[[int], None]
    ) -> None:
        """Download an archive to `path`, which must not exist; `advance` counts its bytes.

        The file gets that name when it is complete, and nothing is left after an error. Raises
        OperatorError, NotFound, or Unavailable after two minutes without a byte.
        """
        part = path.with_name(f"{path.name}.part")
        try:
            _require_free(path)
            with part.open("xb") as file:  # two downloads to one file would mix
                try:
                    self._receive(download, file, advance)
                    file.flush()
                    os.fsync(file.fileno())
                    _give_name(part, path)
                finally:
                    part.unlink(missing_ok=True)
        except FileExistsError as error:
            raise OperatorError(
                f"{error.filename2 or error.filename} already exists: delete it, or choose another"
                " name with --to."
            ) from error
        except OSError as error:
            raise OperatorError(
                f"Can't write {path} ({error.strerror}): choose another place with --to."
            ) from error

    def _receive(
        self, download: CreatedDownload, file: BinaryIO, advance: Callable[[int], None]
    ) -> None:
        received, etag, is_complete = 0, "", False
        give_up_at = time.monotonic() + _PATIENCE
        while not is_complete:
            try:
                with self._range(download, received, etag) as response:
                    if response.status_code == HTTPStatus.OK and received:
                        # The archive has changed, since a photo was deleted.
                        advance(-received)
                        received = file.seek(0)
                        file.truncate()
                    etag = response.headers["ETag"]
                    for chunk in response.iter_raw():
                        file.write(chunk)
                        received += len(chunk)
                        advance(len(chunk))
                        give_up_at = time.monotonic() + _PATIENCE
                is_complete = True
            except (Unavailable, OperatorError):
                if not etag or time.monotonic() > give_up_at:
                    raise
                time.sleep(_PAUSE)

    @contextmanager
    def _range(self, download: CreatedDownload, start: int, etag: str) -> Iterator[httpx.Response]:
        """Request the rest of an archive, or all of it if it has changed."""
        headers = {"Range": f"bytes={start}-", "If-Range": etag} if start else {}
        path = f"{_DOWNLOADS}/{download.url.rpartition('/')[2]}"
        with self._stream(path, method="GET", headers=headers) as response:
            is_part = response.status_code == HTTPStatus.PARTIAL_CONTENT
            first = response.headers.get("Content-Range", "").partition("-")[0]
            if "ETag" not in response.headers or (is_part and first != f"bytes {start}"):
                raise not_safelight(self._settings)
            yield response


def _give_name(part: Path, path: Path) -> None:
    """Rename a file, but never over another one. Raises FileExistsError."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        _require_free(path)
        part.rename(path)


def _require_free(path: Path) -> None:
    if path.exists():
        raise FileExistsError(None, None, str(path))
