"""The pool of decoder processes, with a queue of limited length in front of it."""

import fcntl
import mmap
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import BinaryIO, Final, Protocol

from safelight import errors
from safelight.darkroom import protocol
from safelight.darkroom.calls import Call, DecoderCalls
from safelight.darkroom.channel import DecoderStartFailed
from safelight.darkroom.protocol import (
    Inspection,
    RenderedImage,
    RenderResult,
)
from safelight.imaging.formats import (
    FORMATS,
    HEAD_BYTES,
    detect_format,
)
from safelight.imaging.headers import other_formats
from safelight.imaging.presets import widest_first
from safelight.models import ImageFacts, Preset

__all__ = ["Darkroom", "Inspection", "RenderResult", "RenderedImage"]

_OUTPUT_BYTES: Final = 32 << 20
"""For all renditions of one image; a photo full of detail needs some 2 MB for each."""


class ChoosePresets(Protocol):
    """Returns the presets for an inspected photo; a large one takes long to decode again."""

    def __call__(self, facts: ImageFacts, *, is_large: bool) -> Sequence[Preset]: ...


class Darkroom(DecoderCalls):
    """Decodes images in confined child processes.

    `children` images are decoded at once for clients; by default as many as cores and memory allow.
    While many clients read, a processor is left to them if there is more than one. What tasks in
    the background ask for is decoded at a low priority, and gives way (docs/decisions/0025). With
    `require_confinement`, no process starts that can't be confined completely. Belongs to one event
    loop. Tests run another `program`, which misbehaves on request.
    """

    async def start(self) -> None:
        """Start the first process, to find out early if that fails. Raises EngineError."""
        try:
            await self.decoders.check(self._deadline)
        except DecoderStartFailed as error:
            raise errors.EngineError(f"The photo decoder can't be started: {error}") from error

    async def close(self) -> None:
        """End all processes. Jobs in progress, and all later ones, get Busy."""
        await self.decoders.close()

    async def inspect(
        self, file: BinaryIO | int, *, owner: str, presets: ChoosePresets | None = None
    ) -> Inspection:
        """Decode the image in an open file completely, and return its facts.

        If `presets` are given, it is also rendered, by the same decode unless it is animated.

        `file` is a complete, flushed file on disk, or its descriptor; its position is neither used
        nor changed. The file must not be changed meanwhile. Raises EmptyFile, UnsupportedType,
        CorruptImage (also for an image that takes too long or kills its process), TooManyPixels,
        TooManyFrames; Busy when too many are waiting, or no process can be started.
        """
        descriptor = file if isinstance(file, int) else file.fileno()
        head = os.pread(descriptor, HEAD_BYTES, 0)
        if not head:
            raise errors.EmptyFile
        format_ = detect_format(head)
        if format_ is None:
            head = os.pread(descriptor, other_formats.HEAD_BYTES, 0)
            raise errors.UnsupportedType(other_formats.describe_other(head))
        request = protocol.encode_inspect(format_, render_next=presets is not None)
        with open_read_only(descriptor) as photo:
            return await self._run(
                request,
                [photo],
                partial(protocol.decode_inspection, format_=format_, limits=self.limits),
                owner=owner,
                format_=format_,
                next_step=None if presets is None else _RenderNext(photo, presets),
            )

    async def render(
        self, file: BinaryIO | int, facts: ImageFacts, presets: Sequence[Preset], *, owner: str
    ) -> RenderResult:
        """Render an inspected image by presets, and compute its thumbhash.

        `file` as for `inspect`, `facts` as it returned them. A rendition that would be unreasonably
        large is left out. Raises CorruptImage, as `inspect` does, or Busy.
        """
        descriptor = file if isinstance(file, int) else file.fileno()
        presets = widest_first(tuple(presets), facts.width, facts.height)
        with open_read_only(descriptor) as photo, shared_memory() as (output, contents):
            return await self._run(
                protocol.encode_render(facts, presets),
                [photo, output],
                partial(protocol.decode_render, presets=presets, output=contents),
                owner=owner,
                format_=FORMATS[facts.format],
            )


@dataclass(frozen=True, slots=True)
class _RenderNext:
    """Has the decoder that has inspected a photo render it, of the same decode if possible."""

    photo: int
    choose: ChoosePresets

    async def __call__(self, answer: Inspection, call: Call, *, is_large: bool) -> Inspection:
        facts = answer.facts
        chosen = self.choose(facts, is_large=is_large)
        presets = widest_first(tuple(chosen), facts.width, facts.height)
        with shared_memory() as (output, contents):
            message = await call(protocol.encode_render(facts, presets), [self.photo, output])
            return replace(answer, rendered=protocol.decode_render(message, presets, contents))


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
