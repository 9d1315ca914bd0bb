"""XMP packets: where each format keeps them, their properties, and hostile ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight.imaging import xmp
from safelight.imaging.xmp import Property
from support import metadata, pictures
from support.metadata import WITH_XMP, xmp_packet

DATE = "2019-05-06T07:08:09"
PACKET = xmp_packet(
    f"<exif:DateTimeOriginal>{DATE}</exif:DateTimeOriginal>", f'xmp:CreateDate="{DATE}Z"'
)
PROPERTIES = [
    Property(name="xmp:CreateDate", value=f"{DATE}Z", is_nested=False),
    Property(name="exif:DateTimeOriginal", value=DATE, is_nested=False),
]


@pytest.mark.parametrize("place", WITH_XMP)
def test_packet_of_each_format_is_read(place: str) -> None:
    data = WITH_XMP[place](PACKET)
    assert xmp.read_properties(data, place.split(maxsplit=1)[0]) == PROPERTIES


@pytest.mark.parametrize("name", pictures.photographs())
def test_photo_without_a_packet_has_no_properties(name: str) -> None:
    data = pictures.photographs()[name]
    assert xmp.read_properties(data, name.rsplit(maxsplit=1)[-1]) == []


def test_packet_behind_the_pixels_is_read() -> None:
    plain = pictures.png(64, 48)
    late = pictures.png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + PACKET)
    assert xmp.read_properties(plain[:-12] + late + plain[-12:], "png") == PROPERTIES


def test_extension_of_a_packet_is_joined_in_order() -> None:
    data = metadata.jpeg_with_extended_xmp(xmp_packet(), PACKET)
    assert xmp.read_properties(data, "jpeg") == PROPERTIES


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_packet_in_utf_16_is_read(encoding: str) -> None:
    text = PACKET.decode()
    if encoding != "utf-16":
        text = text.replace('begin="\ufeff"', 'begin=""')
    assert xmp.parse(text.encode(encoding)) == PROPERTIES


def test_properties_of_parts_are_nested() -> None:
    packet = xmp_packet(
        "<xmp:Ingredients><rdf:Bag><rdf:li>"
        f'<rdf:Description exif:GPSLatitude="1,2N"><xmp:CreateDate>{DATE}</xmp:CreateDate>'
        "</rdf:Description></rdf:li></rdf:Bag></xmp:Ingredients>"
    )
    found = xmp.parse(packet)
    assert [(each.name, each.is_nested) for each in found] == [
        ("exif:GPSLatitude", True),
        ("xmp:CreateDate", True),
    ]


def test_prefix_is_decided_by_the_namespace() -> None:
    packet = (
        xmp_packet().replace(b"xmlns:exif=", b"xmlns:e=").replace(b"xmlns:xmp=", b"xmlns:exif=")
    )
    packet = packet.replace(
        b"</rdf:Description>", b"<e:A>1</e:A><exif:B>2</exif:B></rdf:Description>"
    )
    assert [each.name for each in xmp.parse(packet)] == ["exif:A", "xmp:B"]


LAUGHS = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 12))
HOSTILE = pictures.LazyFiles(
    {
        "entities": lambda: (
            f"<!DOCTYPE x [<!ENTITY l0 'ha'>{LAUGHS}]><x>&l11;</x>".encode() + PACKET
        ),
        "entities in utf-16": lambda: f"<!DOCTYPE x [<!ENTITY a 'b'>{LAUGHS}]><x>&l9;</x>".encode(
            "utf-16"
        ),
        "an external entity": lambda: b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        "deep": lambda: b"<a>" * 1_000_000,
        "many elements": lambda: b"<a>" + b"<b/>" * 1_000_000,
        "many attributes": lambda: (
            b"<a " + b" ".join(b'a%d=""' % n for n in range(300_000)) + b"/>"
        ),
        "a long text": lambda: b"<a>" + b"x" * 4_000_000 + b"</a>",
        "an encoding without a codec": lambda: b'<?xml version="1.0" encoding="x-none"?><a/>',
        "empty": lambda: b"",
        "zeros": lambda: bytes(1_000),
        "noise": lambda: pictures.noise(10_000),
    }
)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_packet_has_no_properties(name: str) -> None:
    assert xmp.parse(HOSTILE[name]) == []


def test_properties_before_an_error_count() -> None:
    assert xmp.parse(PACKET[: PACKET.index(b"</rdf:RDF>")] + b"\xff") == PROPERTIES
    assert xmp.parse(PACKET.replace(b"</exif", b"&none;</exif")) == PROPERTIES[:1]


def test_value_is_cut() -> None:
    (found,) = xmp.parse(xmp_packet(f"<xmp:Label>{'x' * 100_000}</xmp:Label>"))
    assert len(found.value) == 1_000


def test_packets_are_limited_in_all() -> None:
    bomb = pictures.png_chunk(
        b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + pictures.deflated_zeros(100 << 20)
    )
    found = xmp.find_packets(pictures.png_with(bomb * 3), "png")
    assert sum(map(len, found)) <= xmp.MAX_BYTES


@given(data=st.data(), place=st.sampled_from(["jpeg", "png", "webp", "gif", "avif"]))
def test_damaged_file_raises_no_error(data: st.DataObject, place: str) -> None:
    damaged = bytearray(FILES[place])
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    xmp.read_properties(bytes(damaged[:cut]), place)


FILES = {place: WITH_XMP[place](PACKET) for place in ("jpeg", "png", "webp", "gif", "avif")}
