"""What a photo can be added from: bytes, paths, and files of several kinds."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from safelight.errors import UsageError
from safelight.library.spool import SpooledUpload


class ReceivedFile(Protocol):
    """A file that a web framework has received, such as Starlette's `UploadFile`."""

    @property
    def file(self) -> BinaryIO:
        """The open file."""

    @property
    def filename(self) -> str | None:
        """Its name on the client's machine."""


PhotoSource = bytes | bytearray | memoryview | Path | BinaryIO | ReceivedFile | SpooledUpload


@contextmanager
def open_source(source: PhotoSource) -> Iterator[tuple[BinaryIO | SpooledUpload, str]]:
    """Yield an open file with the source's bytes, and its name, if it has one.

    A file that was open stays open. Raises UsageError for anything else, OSError for a path that
    can't be read.
    """
    if isinstance(source, SpooledUpload):
        yield source, ""
    elif isinstance(source, bytes | bytearray | memoryview):
        yield io.BytesIO(source), ""
    elif isinstance(source, Path):
        with source.open("rb") as opened:
            yield opened, source.name
    else:
        file: Any = getattr(source, "file", source) if hasattr(source, "filename") else source
        if isinstance(file, io.TextIOBase):
            raise UsageError('The file to add is open as text: open it with mode "rb".')
        if not hasattr(file, "read"):
            raise UsageError(
                "A photo is added from bytes, a pathlib.Path, an UploadFile or an open binary"
                f" file, not from {type(source).__name__}."
            )
        yield file, getattr(source, "filename", None) or ""
