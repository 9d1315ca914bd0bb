"""libvips decodes the accepted formats only, within our limits."""

import base64
import json
import subprocess
import sys

import pytest

from safelight import errors
from safelight.imaging import decode
from safelight.imaging.formats import FORMATS
from safelight.imaging.limits import DecodeLimits, Header
from support import pictures

PHOTOGRAPHS = pictures.photographs()
DECODED_BY_LIBVIPS = {name: data for name, data in PHOTOGRAPHS.items() if not name.endswith("heic")}
GIB = 1 << 30


def test_size_that_libvips_reads_is_checked_against_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = DecodeLimits(
        max_pixels=1_000, max_frames=1, max_total_pixels=1_000, cpu_seconds=1, address_space=GIB
    )
    for name, form in FORMATS.items():
        monkeypatch.setitem(decode._HEADERS, name, lambda _: Header(width=1, height=1))
        with pytest.raises(errors.TooManyPixels):
            decode.inspect(PHOTOGRAPHS[name], form, small)


FOREIGN = """
import base64, json, sys
import pyvips
from safelight.imaging import decode

def read(data):
    try:
        pyvips.Image.new_from_buffer(data, "").avg()
    except pyvips.Error:
        return False
    return True

files = {name: base64.b64decode(data) for name, data in json.load(sys.stdin).items()}
before = {name: read(data) for name, data in files.items()}
decode.lock_loaders()
print(json.dumps([before, {name: read(data) for name, data in files.items()}]))
"""


def test_libvips_keeps_loaders_of_accepted_formats_only() -> None:
    foreign = {
        "tiff": pictures.save(pictures.astronaut(), "TIFF"),
        "svg": pictures.SVG,
    }
    files = {
        name: base64.b64encode(data).decode()
        for name, data in (foreign | DECODED_BY_LIBVIPS).items()
    }
    done = subprocess.run(
        [sys.executable, "-c", FOREIGN],
        input=json.dumps(files),
        capture_output=True,
        text=True,
        check=True,
    )
    before, after = json.loads(done.stdout)
    assert all(before.values()), "libvips reads all of these by default"
    assert after == {name: name in DECODED_BY_LIBVIPS for name in files}


def test_heic_without_its_extra_is_refused_with_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = DecodeLimits(
        max_pixels=100_000, max_frames=1, max_total_pixels=100_000, cpu_seconds=1, address_space=GIB
    )
    assert decode.inspect(PHOTOGRAPHS["heic"], FORMATS["heic"], limits).width == 256
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(errors.UnsupportedType, match=r"safelight\[heic\]"):
        decode.inspect(PHOTOGRAPHS["heic"], FORMATS["heic"], limits)
