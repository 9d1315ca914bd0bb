"""What a decoder can do: inspect a photo, and render it. Handlers turn a request into an answer.

Import this in a decoder process only: it loads libvips.
"""

import base64
import math
import mmap
import os
import resource
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final

import pyvips

from safelight import errors
from safelight.darkroom.child.samples import sample_photos
from safelight.imaging import decode, render, thumbhash
from safelight.imaging.cost import estimate
from safelight.imaging.formats import FORMATS, Format
from safelight.imaging.headers import gif, jpeg
from safelight.imaging.headers.colour import colour_description
from safelight.imaging.limits import DecodeLimits, Header
from safelight.imaging.render import EncodedRendition
from safelight.models import Preset

_Message = dict[str, Any]
_OPAQUE: Final = b"\xff"


class Handlers:
    """Decodes photos within its limits, with no loaders but those of the accepted formats."""

    def __init__(self, limits: DecodeLimits) -> None:
        decode.lock_loaders()
        self._limits = limits
        self._kept: decode.Opened | None = None
        """The image that was inspected, and is decoded when it is rendered next."""

    def check(self, request: _Message, descriptors: Sequence[int]) -> _Message:
        """Decode and render a sample of some formats, and return those for which that fails.

        A library may need a system call or a file that a decoder can't have.
        """
        del descriptors
        preset, failed = Preset(name="sample", width=1, quality=1, effort=0), []
        for form, data in sample_photos():
            if form.name not in request["formats"]:
                continue
            try:
                decode.inspect(data, form, self._limits)
                list(render.render(decode.open_first_frame(data, form), [preset], 1, 1))
            except errors.UnsupportedType:  # An extra that isn't installed.
                continue
            except Exception:  # noqa: BLE001, whatever it is, the server reports the format
                failed.append(form.name)
        return {"failed": failed}

    def inspect(self, request: _Message, descriptors: Sequence[int]) -> _Message:
        """Return the photo's facts. With `render_next`, most photos are decoded only then."""
        self._limit_cpu_time()
        data = _map_photo(descriptors[0])
        form = FORMATS[request["format"]]
        header = decode.read_header(data, form, self._limits)
        if needs := self._needs(header, form, len(data)):
            return needs
        if request["render_next"]:
            facts, self._kept = decode.inspect_and_keep(data, form, self._limits, header)
        else:
            facts = decode.inspect(data, form, self._limits, header)
        details = facts.details
        duration = details.duration
        return {
            "facts": {
                "width": facts.width,
                "height": facts.height,
                "frames": facts.frames,
                "renderer": facts.renderer,
                "dates": [
                    {
                        "at": date.at.isoformat(),
                        "offset_minutes": None
                        if date.offset is None
                        else date.offset // timedelta(minutes=1),
                        "source": date.source,
                    }
                    for date in facts.dates
                ],
                "milliseconds": None if duration is None else int(duration.total_seconds() * 1000),
                "alpha": details.alpha,
                "profile": details.profile,
                "camera_make": details.camera_make,
                "camera_model": details.camera_model,
                "located": details.located,
                "displayable": details.displayable,
            },
        }

    def render(self, request: _Message, descriptors: Sequence[int]) -> _Message:
        """Make renditions of an inspected photo, its thumbhash and its main colour.

        The second descriptor is memory for the renditions, which are written one after another,
        the widest first. A rendition that does not fit is left out. `width` and `height` are the
        photo's, after its `turn`.
        """
        self._limit_cpu_time()
        data: bytes | mmap.mmap = _map_photo(descriptors[0])
        output = mmap.mmap(descriptors[1], os.lseek(descriptors[1], 0, os.SEEK_END))
        presets = [Preset(**preset) for preset in request["presets"]]
        form, shrink = FORMATS[request["format"]], 1
        header = decode.read_header(data, form, self._limits)
        if needs := self._needs(header, form, len(data)):
            return needs
        kept, self._kept = self._kept, None
        data = kept.data if kept else decode.prepare(data, form)
        if form.name == "jpeg" and jpeg.read_frame(data).can_shrink:
            size = request["width"], request["height"]
            widest = max(preset.scaled_size(*size)[0] for preset in presets)
            shrink = render.shrink_on_load(*size, widest)
        try:
            colour = colour_description(data, form.name)
            image = (
                kept.image
                if kept and shrink == 1
                else decode.open_first_frame(data, form, shrink=shrink, colour=colour)
            )
            if form.name == "gif":
                image = render.extend_to_canvas(image, gif.read_canvas(data))
            size = (request["width"], request["height"])
            decoded = partial(decode.require_whole, form)
            image = render.turn(image, request["turn"])
            made = render.render(image, presets, *size, colour=colour, decoded=decoded)
            return _write(made, output)
        except (pyvips.Error, MemoryError) as error:
            raise errors.CorruptImage from error

    def _needs(self, header: Header, form: Format, size: int) -> _Message | None:
        """Return the answer that a photo needs an allowance; None if it can be decoded now.

        `size` is the file's. Raises TooManyPixels if it needs more than there is.
        """
        limits = self._limits
        if limits.is_allowance:
            return None
        cost = estimate(header, form.name, size)
        seconds = limits.seconds_for(header.pixels)
        is_usual = cost.space <= limits.address_space and seconds <= limits.cpu_seconds
        if is_usual and not cost.is_expensive:
            return None
        if cost.memory > limits.max_memory:
            raise _too_much_memory(cost.memory, limits.max_memory)
        if cost.space > limits.max_address_space:
            raise _too_much_memory(cost.space, limits.max_address_space)
        return {
            "needs": {
                "memory": max(cost.memory, limits.address_space),
                "space": max(cost.space, limits.address_space),
                "seconds": seconds,
            }
        }

    def _limit_cpu_time(self) -> None:
        """Have the kernel end this process when the job has used its time, in whole seconds."""
        until = math.ceil(time.process_time() + self._limits.cpu_seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))


def _too_much_memory(needed: int, limit: int) -> errors.TooManyPixels:
    return errors.TooManyPixels(
        f"Decoding this photo takes {errors.format_size(needed)} of memory."
        f" The limit of this server is {errors.format_size(limit)}."
    )


def _map_photo(descriptor: int) -> mmap.mmap:
    """Map a file. Its length is asked for by a call that, unlike fstat, never looks up a path."""
    return mmap.mmap(descriptor, os.lseek(descriptor, 0, os.SEEK_END), prot=mmap.PROT_READ)


def _write(renditions: Iterator[EncodedRendition], output: mmap.mmap) -> _Message:
    sizes: list[list[int] | None] = []
    for rendered in renditions:
        image = rendered.image
        if output.tell() + len(rendered.data) <= len(output):
            output.write(rendered.data)
            sizes.append([rendered.width, rendered.height, len(rendered.data)])
        else:
            sizes.append(None)
    return {"renditions": sizes, **_summarize(image)}


def _summarize(image: Any) -> _Message:
    """Return the thumbhash and the main colour of an image."""
    small = image.thumbnail_image(thumbhash.MAX_SIDE, height=thumbhash.MAX_SIDE, size="down")
    flat = bytes(small.write_to_memory())
    bands = [flat[band :: small.bands] for band in range(small.bands)]
    if not small.hasalpha():
        bands.append(_OPAQUE * len(bands[0]))
    pixels = list(zip(*bands, strict=True))
    code = thumbhash.thumbhash(pixels, small.width, small.height)
    return {
        "thumbhash": base64.b64encode(code).decode(),
        "colour": thumbhash.main_colour(pixels),
    }
