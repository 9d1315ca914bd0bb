"""The estimate of what a photo costs, by its first bytes."""

import struct

import pytest

from safelight.imaging.cost import is_expensive


def png(width: int, height: int, *, depth: int = 8, interlaced: bool = False) -> bytes:
    """Return the beginning of a PNG."""
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR"
    return start + struct.pack(">2I5B", width, height, depth, 2, 0, 0, interlaced) + bytes(31)


@pytest.mark.parametrize(
    ("head", "format_name", "expected"),
    [
        (png(4000, 3000), "png", False),
        (png(4000, 3000, depth=16, interlaced=True), "png", True),
        (png(8000, 6000), "png", False),
        (png(12000, 10000), "png", True),
        (png(12000, 10000)[:28], "png", False),
        (png(12000, 10000), "jpeg", False),
    ],
)
def test_large_png_is_expensive(head: bytes, format_name: str, expected: bool) -> None:  # noqa: FBT001
    assert is_expensive(head, format_name) == expected
