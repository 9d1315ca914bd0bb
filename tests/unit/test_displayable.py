"""Originals that browsers don't show as they should be, and which image stands for them."""

import json
import struct
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight.catalog.rows import columns_from_facts
from safelight.imaging import presets
from safelight.imaging.browsers import is_displayable
from safelight.imaging.exif import find_exif_blocks
from safelight.models import Details, ImageFacts, Photo, Rendition
from safelight.settings import RenditionSettings
from support import pictures


def displayable(data: bytes, form: str, *, orientation: int = 1, side: int = 256) -> bool:
    return is_displayable(
        data,
        form,
        longest_side=side,
        orientation=orientation,
        exif_blocks=find_exif_blocks(data, form),
    )


def exif(orientation: int) -> bytes:
    return pictures.exif(orientation).tobytes()


def jpeg_coded(marker: int, bits: int = 8) -> bytes:
    """Return a JPEG whose header claims another coding."""
    data = bytearray(pictures.jpeg())
    at = data.index(b"\xff\xc0")
    data[at + 1], data[at + 4] = marker, bits
    return bytes(data)


def late_exif(orientation: int) -> bytes:
    return pictures.png_before_its_end(
        pictures.png_chunk(b"eXIf", exif(orientation).removeprefix(b"Exif\0\0"))
    )


def avif(*properties: bytes) -> bytes:
    return pictures.heif_with_properties(pictures.avif(64, 64), *properties)


ROTATED, MIRRORED = (pictures.heif_box(kind, b"\1") for kind in (b"irot", b"imir"))
CROPPED = pictures.heif_box(b"clap", struct.pack(">8I", 32, 1, 32, 1, 0, 1, 0, 1))

SHOWN: dict[str, tuple[bytes, str, int]] = {
    "jpeg": (pictures.jpeg(), "jpeg", 1),
    "jpeg, rotated": (pictures.jpeg(exif=exif(6)), "jpeg", 6),
    "progressive jpeg": (pictures.jpeg(progressive=True), "jpeg", 1),
    "grey jpeg": (pictures.jpeg(mode="L"), "jpeg", 1),
    "extended jpeg": (jpeg_coded(0xC1), "jpeg", 1),
    "jpeg before a rotated one": (pictures.jpeg() + pictures.jpeg(exif=exif(6)), "jpeg", 1),
    "webp, upright": (pictures.webp(exif=exif(1)), "webp", 1),
    "png, upright": (pictures.png(exif=exif(1)), "png", 1),
    "gif": (pictures.gif(), "gif", 1),
    "avif": (pictures.avif(64, 64), "avif", 1),
    "avif, rotated": (avif(ROTATED), "avif", 1),
    "avif, mirrored": (avif(MIRRORED), "avif", 1),
    "avif, rotated, then mirrored": (avif(ROTATED, MIRRORED), "avif", 1),
}
NOT_SHOWN: dict[str, tuple[bytes, str, int]] = {
    "lossless jpeg": (jpeg_coded(0xC3), "jpeg", 1),
    "arithmetic jpeg": (jpeg_coded(0xC9), "jpeg", 1),
    "progressive arithmetic jpeg": (jpeg_coded(0xCA), "jpeg", 1),
    "jpeg of 12 bits": (jpeg_coded(0xC1, 12), "jpeg", 1),
    "cmyk jpeg": (pictures.jpeg(mode="CMYK"), "jpeg", 1),
    "jpeg that only the decoder rotates": (pictures.jpeg(), "jpeg", 6),
    "webp, rotated": (pictures.webp(exif=exif(6)), "webp", 6),
    "webp, mirrored": (pictures.webp(exif=exif(2)), "webp", 2),
    "png, rotated": (pictures.png(exif=exif(8)), "png", 8),
    "png, rotated behind its pixels": (late_exif(6), "png", 1),
    "avif, cropped": (avif(CROPPED), "avif", 1),
    "avif, mirrored, then rotated": (avif(MIRRORED, ROTATED), "avif", 1),
}


@pytest.mark.parametrize("name", SHOWN)
def test_original_is_displayable(name: str) -> None:
    data, form, orientation = SHOWN[name]
    assert displayable(data, form, orientation=orientation)


@pytest.mark.parametrize("name", NOT_SHOWN)
def test_original_is_not_displayable(name: str) -> None:
    data, form, orientation = NOT_SHOWN[name]
    assert not displayable(data, form, orientation=orientation)


def test_side_over_the_limit_of_browsers_is_not_displayable() -> None:
    assert displayable(pictures.png(), "png", side=65_535)
    assert not displayable(pictures.png(), "png", side=65_536)


@given(data=st.data(), name=st.sampled_from(sorted(SHOWN | NOT_SHOWN)))
def test_damaged_file_raises_no_error(data: st.DataObject, name: str) -> None:
    whole, form, orientation = (SHOWN | NOT_SHOWN)[name]
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    assert displayable(cut, form, orientation=orientation) in {True, False}


def rendition(width: int, height: int) -> Rendition:
    return Rendition(
        name=f"w{width}", key=f"k{width}", width=width, height=height, content_type="image/webp"
    )


PHOTO = Photo(
    id=1,
    version=1,
    owner="ann",
    storage_id="0" * 32,
    title="",
    description="",
    filename="",
    size=1,
    sha256="",
    facts=ImageFacts(format="jpeg", content_type="image/jpeg", width=4000, height=3000),
    created_at=datetime(2024, 1, 1, tzinfo=UTC),
    renditions=(rendition(320, 240), rendition(1280, 960), rendition(640, 480)),
)


def with_facts(**facts: object) -> Photo:
    return replace(PHOTO, facts=replace(PHOTO.facts, **facts))  # type: ignore[arg-type]  # any


def test_original_is_shown_if_browsers_show_it() -> None:
    assert presets.display_rendition(PHOTO) is None


@pytest.mark.parametrize(
    "photo",
    [
        with_facts(format="heic"),
        with_facts(details=Details(displayable=False)),
        with_facts(details=Details(located=True)),
    ],
)
def test_largest_rendition_is_shown_instead(photo: Photo) -> None:
    shown = presets.display_rendition(photo)
    assert shown is not None
    assert shown.name == "w1280"
    assert presets.display_rendition(replace(photo, renditions=())) is None


def test_lists_have_what_is_made_on_demand_only_if_there_is_nothing_else() -> None:
    """Otherwise they would link to an original with a location."""
    ladder = presets.build_presets(RenditionSettings())
    both = replace(PHOTO, renditions=(rendition(320, 240), rendition(2560, 1920)))
    listed = presets.without_demanded(both, ladder)
    assert listed.renditions == both.renditions[:1]
    alone = replace(both, renditions=both.renditions[1:])
    assert presets.without_demanded(alone, ladder) == alone


def test_location_alone_does_not_make_an_original_undisplayable() -> None:
    assert presets.is_displayable(with_facts(details=Details(located=True)))
    assert not presets.is_displayable(with_facts(format="heic"))


def test_displayable_is_stored_only_if_false() -> None:
    def stored(details: Details) -> str:
        columns = columns_from_facts(with_facts(details=details).facts, now=datetime.now(UTC))
        return json.dumps(columns["details"])

    assert "displayable" not in stored(Details())
    assert '"displayable": false' in stored(Details(displayable=False))
