"""What libvips is left with: the loaders of our formats, within our limits."""

import base64
import json
import subprocess
import sys

import pytest

import pictures
from safelight import errors
from safelight.formats import FORMATS
from safelight.inspection import decoding
from safelight.inspection.limits import DecodeLimits, Header

PHOTOGRAPHS = pictures.photographs()
OF_LIBVIPS = {name: data for name, data in PHOTOGRAPHS.items() if not name.endswith("heic")}
GIB = 1 << 30


def test_what_libvips_itself_reads_of_a_header_is_held_against_the_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = DecodeLimits(
        max_pixels=1_000, max_frames=1, max_total_pixels=1_000, cpu_seconds=1, address_space=GIB
    )
    for name, form in FORMATS.items():
        monkeypatch.setitem(decoding._HEADERS, name, lambda _: Header(width=1, height=1))
        with pytest.raises(errors.TooManyPixels):
            decoding.inspect(PHOTOGRAPHS[name], form, small)


FOREIGN = """
import base64, json, sys
import pyvips
from safelight.inspection import decoding

def read(data):
    try:
        pyvips.Image.new_from_buffer(data, "").avg()
    except pyvips.Error:
        return False
    return True

files = {name: base64.b64decode(data) for name, data in json.load(sys.stdin).items()}
before = {name: read(data) for name, data in files.items()}
decoding.lock_loaders()
print(json.dumps([before, {name: read(data) for name, data in files.items()}]))
"""


def test_libvips_is_left_with_the_loaders_of_our_formats_alone() -> None:
    foreign = {
        "tiff": pictures.save(pictures.astronaut(), "TIFF"),
        "svg": pictures.SVG,
    }
    files = {name: base64.b64encode(data).decode() for name, data in (foreign | OF_LIBVIPS).items()}
    done = subprocess.run(
        [sys.executable, "-c", FOREIGN],
        input=json.dumps(files),
        capture_output=True,
        text=True,
        check=True,
    )
    before, after = json.loads(done.stdout)
    assert all(before.values()), "libvips reads all of these by itself"
    assert after == {name: name in OF_LIBVIPS for name in files}


def test_without_its_extra_a_heic_is_refused_and_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = DecodeLimits(
        max_pixels=100_000, max_frames=1, max_total_pixels=100_000, cpu_seconds=1, address_space=GIB
    )
    assert decoding.inspect(PHOTOGRAPHS["heic"], FORMATS["heic"], limits).width == 256
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(errors.UnsupportedType, match=r"safelight\[heic\]"):
        decoding.inspect(PHOTOGRAPHS["heic"], FORMATS["heic"], limits)
