"""What a child can be asked to do. Each duty takes a request and descriptors, and gives an answer.

Imported in a child alone: it loads libvips.
"""

import base64
import hashlib
import math
import mmap
import resource
import time
from collections.abc import Sequence
from typing import Any, Final

import pyvips

from safelight import errors
from safelight.formats import FORMATS
from safelight.inspection import decoding
from safelight.inspection.limits import DecodeLimits
from safelight.photo import ImageFacts, Preset
from safelight.renditions import rendering, sketch

_Message = dict[str, Any]
_DIGEST_STRIDE: Final = 1 << 20
_OPAQUE: Final = 255


class Inspector:
    """Decodes pictures within its limits, with no loaders but those of the accepted formats."""

    def __init__(self, limits: DecodeLimits) -> None:
        decoding.lock_loaders()
        self._limits = limits

    def inspect(self, request: _Message, descriptors: Sequence[int]) -> _Message:
        """Tell the facts of the picture, and its SHA-256 if `digest` is true."""
        self._allow_cpu_time()
        data = mmap.mmap(descriptors[0], 0, prot=mmap.PROT_READ)
        facts = decoding.inspect(data, FORMATS[request["format"]], self._limits)
        return {
            "facts": _spell(facts),
            "sha256": _sha256(data) if request["digest"] else None,
        }

    def develop(self, request: _Message, descriptors: Sequence[int]) -> _Message:
        """Make renditions of a picture that was inspected, and sketch it.

        The second descriptor is of memory in which the renditions are laid down, one behind the
        other, the widest first; what has no room there any more is left out. `width` and `height`
        are the picture's.
        """
        self._allow_cpu_time()
        data = mmap.mmap(descriptors[0], 0, prot=mmap.PROT_READ)
        tray = mmap.mmap(descriptors[1], 0)
        presets = [Preset(**preset) for preset in request["presets"]]
        form, shrink = FORMATS[request["format"]], 1
        if form.name == "jpeg":
            widest = max(preset.width for preset in presets)
            shrink = rendering.shrink_on_load(request["width"], request["height"], widest)
        try:
            image = decoding.open_still(data, form, shrink=shrink)
            if form.name == "gif":
                image = rendering.on_canvas(image, request["width"], request["height"])
            return _developed(image, presets, tray)
        except (pyvips.Error, MemoryError) as error:
            raise errors.CorruptImage from error

    def _allow_cpu_time(self) -> None:
        """Have the kernel end this process when the job has used up its time, in whole seconds."""
        until = math.ceil(time.process_time() + self._limits.cpu_seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))


def _developed(image: Any, presets: Sequence[Preset], tray: mmap.mmap) -> _Message:  # noqa: ANN401
    made: list[list[int] | None] = []
    for rendered in rendering.render(image, presets):
        image = rendered.image
        if tray.tell() + len(rendered.data) <= len(tray):
            tray.write(rendered.data)
            made.append([rendered.width, rendered.height, len(rendered.data)])
        else:
            made.append(None)
    return {"renditions": made, **_sketched(image)}


def _sketched(image: Any) -> _Message:  # noqa: ANN401
    small = image.thumbnail_image(sketch.SIDE, height=sketch.SIDE, size="down")
    flat = bytes((small if small.hasalpha() else small.bandjoin(_OPAQUE)).write_to_memory())
    pixels = list(zip(*[iter(flat)] * 4, strict=True))
    hashed = sketch.thumbhash(pixels, small.width, small.height)
    return {
        "thumbhash": base64.b64encode(hashed).decode(),
        "colour": sketch.main_colour(pixels),
    }


def _spell(facts: ImageFacts) -> _Message:
    """Spell the facts in JSON's types; the format is the server's to know."""
    moment, offset, duration = facts.taken_at, facts.taken_offset, facts.details.duration
    return {
        "width": facts.width,
        "height": facts.height,
        "frames": facts.frames,
        "taken_at": None if moment is None else moment.isoformat(),
        "offset_minutes": None if offset is None else int(offset.total_seconds() // 60),
        "milliseconds": None if duration is None else int(duration.total_seconds() * 1000),
        "alpha": facts.details.alpha,
        "profile": facts.details.profile,
        "camera_make": facts.details.camera_make,
        "camera_model": facts.details.camera_model,
        "located": facts.details.located,
    }


def _sha256(data: mmap.mmap) -> str:
    digest = hashlib.sha256()
    for start in range(0, len(data), _DIGEST_STRIDE):
        digest.update(data[start : start + _DIGEST_STRIDE])
    return digest.hexdigest()
