"""What a child can be asked to do. Each duty takes a request and a descriptor, and gives an answer.

Imported in a child alone: it loads libvips.
"""

import hashlib
import math
import mmap
import resource
import time
from typing import Any, Final

from safelight.formats import FORMATS
from safelight.inspection import decoding
from safelight.inspection.limits import DecodeLimits
from safelight.photo import ImageFacts

_Message = dict[str, Any]
_DIGEST_STRIDE: Final = 1 << 20


class Inspector:
    """Decodes pictures within its limits, with no loaders but those of the accepted formats."""

    def __init__(self, limits: DecodeLimits) -> None:
        decoding.lock_loaders()
        self._limits = limits

    def inspect(self, request: _Message, photo: int) -> _Message:
        """Tell the facts of the picture, and its SHA-256 if `digest` is true."""
        self._allow_cpu_time()
        data = mmap.mmap(photo, 0, prot=mmap.PROT_READ)
        facts = decoding.inspect(data, FORMATS[request["format"]], self._limits)
        return {
            "facts": _spell(facts),
            "sha256": _sha256(data) if request["digest"] else None,
        }

    def _allow_cpu_time(self) -> None:
        """Have the kernel end this process when the job has used up its time, in whole seconds."""
        until = math.ceil(time.process_time() + self._limits.cpu_seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))


def _spell(facts: ImageFacts) -> _Message:
    """Spell the facts in JSON's types; the format is the server's to know."""
    moment, offset = facts.taken_at, facts.taken_offset
    return {
        "width": facts.width,
        "height": facts.height,
        "frames": facts.frames,
        "taken_at": None if moment is None else moment.isoformat(),
        "offset_minutes": None if offset is None else int(offset.total_seconds() // 60),
    }


def _sha256(data: mmap.mmap) -> str:
    digest = hashlib.sha256()
    for start in range(0, len(data), _DIGEST_STRIDE):
        digest.update(data[start : start + _DIGEST_STRIDE])
    return digest.hexdigest()
