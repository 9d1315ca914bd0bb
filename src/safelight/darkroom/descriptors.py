"""What a decoder gets for one job: the photo, read-only, and memory for its renditions."""

import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from safelight import errors

_OUTPUT_BYTES: Final = 32 << 20
"""For all renditions of one image; a photo full of detail needs some 2 MB for each."""


@contextmanager
def open_read_only(descriptor: int) -> Iterator[int]:
    """Open the same file a second time: a child can neither write to it nor move our position."""
    try:
        photo = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:  # too many open files
        raise errors.Busy from error
    try:
        yield photo
    finally:
        os.close(photo)


@contextmanager
def shared_memory() -> Iterator[tuple[int, mmap.mmap]]:
    """Yield memory for the renditions, as a descriptor and mapped; a child can't make it larger."""
    try:
        output = os.memfd_create("renditions", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError as error:  # too many open files
        raise errors.Busy from error
    try:
        os.ftruncate(output, _OUTPUT_BYTES)
        fcntl.fcntl(output, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
        with mmap.mmap(output, _OUTPUT_BYTES, prot=mmap.PROT_READ) as contents:
            yield output, contents
    finally:
        os.close(output)
