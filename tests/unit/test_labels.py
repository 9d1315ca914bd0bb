"""Labels from image metadata are short and printable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageCms

from safelight.imaging.metadata import MAX_LABEL, clean_label, icc_profile_name

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Camera (Camera, ASCII, 7 components, 7 bytes)", "Camera"),
        ("Model (3) (Model (3), ASCII, 10 components, 10 bytes)", "Model (3)"),
        ("Model (3)", "Model (3)"),
        ("a\0b\x1b[31m\n", "ab[31m"),
        ("  ", None),
        ("x" * 1_000, "x" * MAX_LABEL),
        (None, None),
        (7, None),
    ],
)
def test_label_is_short_and_printable(value: object, expected: str | None) -> None:
    assert clean_label(value) == expected


def test_icc_profile_name_is_read() -> None:
    assert icc_profile_name(PROFILE) == "sRGB built-in"
    version_2 = b"\0" * 128 + b"\0\0\0\1desc\0\0\0\x90\0\0\0\x20"
    assert icc_profile_name(version_2 + b"desc\0\0\0\0\0\0\0\x05Mine\0" + bytes(20)) == "Mine"


@given(data=st.binary(max_size=300), at=st.integers(0, len(PROFILE) - 1))
def test_damaged_icc_profile_has_a_printable_name_or_none(data: bytes, at: int) -> None:
    for profile in (data, PROFILE[:128] + data, PROFILE[:at] + data + PROFILE[at:]):
        name = icc_profile_name(profile)
        assert name is None or (name.isprintable() and len(name) <= MAX_LABEL)
