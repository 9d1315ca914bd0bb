"""Locations in EXIF and XMP, in every place where a format keeps them; hostile XMP."""

import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import TiffImagePlugin

from safelight.imaging import exif, location, xmp
from safelight.imaging.exif import MAX_BLOCKS, find_exif_blocks
from support import metadata, pictures
from support.metadata import xmp_packet

GPS, LATITUDE, LONGITUDE = 0x8825, 2, 4
PLACE = {1: "N", 2: (48.0, 51.0, 30.0), 3: "E", 4: (2.0, 17.0, 40.0)}


def gps(**changed: Any) -> bytes:
    """Return an EXIF block with a place."""
    fields = pictures.exif(orientation=1)
    fields.get_ifd(GPS).update(PLACE | {int(tag[1:]): value for tag, value in changed.items()})
    return fields.tobytes()


def packet(latitude: str = "48,51.5N", longitude: str = "2,17.6667E") -> bytes:
    return xmp_packet(
        f'<exif:GPSLatitude>{latitude}</exif:GPSLatitude><exif:GPSLongitude xml:lang="x">'
        f"{longitude}</exif:GPSLongitude>"
    )


def is_located(data: bytes, form: str) -> bool:
    return location.is_located(find_exif_blocks(data, form), xmp.read_properties(data, form))


IN_PNG = pictures.png_before_its_end


LOCATED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "jpeg with exif": ("jpeg", lambda: pictures.jpeg(exif=gps())),
    "jpeg whose second image has exif": (
        "jpeg",
        lambda: pictures.jpeg() + pictures.jpeg(exif=gps()),
    ),
    "png with exif": ("png", lambda: pictures.png(exif=gps())),
    "png with exif at its end": (
        "png",
        lambda: IN_PNG(pictures.png_chunk(b"eXIf", gps().removeprefix(b"Exif\0\0"))),
    ),
    "png with a raw profile of exif": (
        "png",
        lambda: metadata.png_with_raw_profile("exif", gps()),
    ),
    "png with a raw profile of app1": (
        "png",
        lambda: metadata.png_with_raw_profile("APP1", gps()),
    ),
    "apng with exif": ("png", lambda: pictures.animated("PNG", 2, exif=gps())),
    "webp with exif": ("webp", lambda: pictures.webp(exif=gps())),
    "avif with exif": ("avif", lambda: pictures.avif(64, 64, exif=gps())),
    "heic with exif": ("heic", lambda: pictures.heic(64, 64, exif=gps())),
}


FILES = pictures.LazyFiles({name: make for name, (_, make) in LOCATED.items()})


@pytest.mark.parametrize("name", LOCATED)
def test_location_is_found(name: str) -> None:
    assert is_located(FILES[name], LOCATED[name][0])


@pytest.mark.parametrize("place", metadata.WITH_XMP)
def test_location_is_found_in_xmp(place: str) -> None:
    assert is_located(metadata.WITH_XMP[place](packet()), place.split(maxsplit=1)[0])


def test_location_is_found_in_extended_xmp() -> None:
    data = metadata.jpeg_with_extended_xmp(xmp_packet(), packet())
    assert is_located(data, "jpeg")


@pytest.mark.parametrize("form", ["jpeg", "png", "gif", "webp", "avif", "heic"])
def test_photo_without_location_is_not_located(form: str) -> None:
    data = {
        "jpeg": lambda: pictures.jpeg(exif=pictures.exif(6), xmp=xmp_packet()),
        "gif": lambda: metadata.gif_with_xmp(xmp_packet()),
    }.get(form, lambda: pictures.photographs()[form])()
    assert not is_located(data, form)


NONE = TiffImagePlugin.IFDRational(0, 0)
NO_PLACE: dict[str, dict[str, Any]] = {
    "zero degrees": {"_2": (0.0, 0.0, 0.0), "_4": (0.0, 0.0, 0.0)},
    "denominators of zero": {"_2": (NONE, NONE, NONE), "_4": (NONE, NONE, NONE)},
    "a latitude over 90": {"_2": (90.0, 0.0, 1.0)},
    "a longitude over 180": {"_4": (181.0, 0.0, 0.0)},
}


@pytest.mark.parametrize("name", NO_PLACE)
def test_impossible_exif_location_is_none(name: str) -> None:
    block = gps(**NO_PLACE[name])
    assert exif.read_exif(block.removeprefix(b"Exif\0\0")).gps, "the block is well-formed"
    assert not is_located(pictures.jpeg(exif=block), "jpeg")


def test_exif_location_on_equator_or_meridian_counts() -> None:
    assert is_located(pictures.jpeg(exif=gps(_2=(0.0, 0.0, 0.0))), "jpeg")
    assert is_located(pictures.jpeg(exif=gps(_4=(0.0, 0.0, 0.0))), "jpeg")
    assert is_located(pictures.jpeg(exif=gps(_2=(48.0, 51.0, NONE))), "jpeg"), "no seconds"


@pytest.mark.parametrize(
    ("text", "degrees"),
    [
        ("48,51.5N", 48 + 51.5 / 60),
        ("48,51,30S", 48 + 51.5 / 60),
        ("48,51,30.25 N", 48 + 51 / 60 + 30.25 / 3600),
        ("-48.8583", 48.8583),
        ("48/1,515/10,0/1N", 48 + 51.5 / 60),
        ("0,0,0N", 0),
        ("0/0,0/0,0/0N", None),
        ("", None),
        ("north", None),
        ("1,2,3,4N", None),
        ("9" * 5000, None),
        ("\u0664\u0668N", None),
    ],
)
def test_xmp_coordinate_is_parsed(text: str, degrees: float | None) -> None:
    found = location.parse_coordinate(text)
    assert found is None if degrees is None else found == pytest.approx(degrees)


@pytest.mark.parametrize(
    "pair", [("0,0N", "0,0E"), ("91,0N", "2,0E"), ("48,0N", "181,0E"), ("0/0", "0/0"), ("48", "x")]
)
def test_impossible_xmp_location_is_none(pair: tuple[str, str]) -> None:
    assert not is_located(pictures.jpeg(xmp=packet(*pair)), "jpeg")


FORMS = {
    "attributes": '<rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/"'
    ' exif:GPSLatitude="48,5N" exif:GPSLongitude="2,5E"/>',
    "iptc": "<rdf:Description><e:LocationCreated xmlns:e='urn:e'"
    " xmlns:exif='http://ns.adobe.com/exif/1.0/'><rdf:Bag><rdf:li rdf:parseType='Resource'>"
    "<exif:GPSLatitude>48,5N</exif:GPSLatitude><exif:GPSLongitude>2,5E</exif:GPSLongitude>"
    "</rdf:li></rdf:Bag></e:LocationCreated></rdf:Description>",
    "another prefix": '<rdf:Description xmlns:E="http://ns.adobe.com/exif/1.0/"'
    ' E:GPSLatitude="48,5N" E:GPSLongitude="2,5E"/>',
    "drone": '<rdf:Description xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/"'
    ' drone-dji:GpsLatitude="48.1" drone-dji:GpsLongtitude="+2.5"/>',
    "geo": '<rdf:Description xmlns:g="http://www.w3.org/2003/01/geo/wgs84_pos#"'
    ' g:lat="48" g:long="2"/>',
}


@pytest.mark.parametrize("name", FORMS)
def test_xmp_location_is_found_in_any_form(name: str) -> None:
    text = xmp_packet().decode()
    start, end = text.index("<rdf:Description"), text.index("</rdf:RDF>")
    packet = (text[:start] + FORMS[name] + text[end:]).encode()
    assert location.is_located([], xmp.parse(packet))


MARKUP = st.lists(
    st.sampled_from(
        [
            *("<rdf:RDF>", "</rdf:RDF>", "<rdf:Description ", "</rdf:Description>", "<rdf:li>"),
            *('exif:GPSLatitude="', "<exif:GPSLongitude>", "</exif:GPSLongitude>", "/>", ">", "<"),
            *("&amp;", "&#0;", "&x;", "<![CDATA[", "]]>", "<!--", "-->", "<?xpacket", "?>", "<!D"),
            *('xmlns:exif="http://ns.adobe.com/exif/1.0/" ', '" ', "48,5N", "0/0", "1e999", "\0"),
        ]
    )
    | st.text(max_size=5),
    max_size=40,
).map(lambda parts: "".join(parts).encode("utf-8", "surrogatepass"))


@given(text=MARKUP | st.binary(max_size=200), head=st.sampled_from([b"", b"<x>", packet()[:-20]]))
def test_any_xmp_is_parsed_without_error(text: bytes, head: bytes) -> None:
    assert location.is_located([], xmp.parse(head + text)) in {True, False}


BLOCK = gps().removeprefix(b"Exif\0\0")


@given(cut=st.integers(0, 400), changed=st.dictionaries(st.integers(0, 399), st.integers(0, 255)))
def test_any_exif_is_read_without_error(cut: int, changed: dict[int, int]) -> None:
    block = bytearray(BLOCK)
    for at, value in changed.items():
        block[at % len(block)] = value
    fields = exif.read_exif(bytes(block[:cut]))
    assert fields.orientation in {None, *range(1, 9)}
    assert location.is_located([bytes(block[:cut])], []) in {True, False}


@given(data=st.data(), name=st.sampled_from(sorted(LOCATED)))
def test_any_damage_is_read_without_error(data: st.DataObject, name: str) -> None:
    form, _ = LOCATED[name]
    damaged = bytearray(FILES[name])
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(damaged)))
    assert is_located(bytes(damaged), form) in {True, False}
    assert is_located(bytes(damaged[:end]), form) in {True, False}


def test_thousands_of_blocks_are_cut_off() -> None:
    segment = pictures.jpeg_segment(0xE1, b"Exif\0\0" + b"II*\0" + struct.pack("<I", 8))
    assert len(find_exif_blocks(segment * 100_000, "jpeg")) == MAX_BLOCKS
