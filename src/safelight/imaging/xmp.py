"""Find the XMP packets in a file, and read their properties (ISO 16684-1 and 16684-3).

Packets come from untrusted files: their size, elements and depth are limited, and one with a
document type declaration isn't parsed, so there are no entities to expand. A malformed packet gives
the properties before its first error: broken metadata never causes a good photo to be refused.
"""

import codecs
import contextlib
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from mmap import mmap
from typing import Final
from xml.parsers import expat

from safelight import errors
from safelight.imaging import png_text
from safelight.imaging.headers import gif, heif, jpeg, webp

for _codec in ("utf-16-be", "utf-16-le"):
    codecs.lookup(_codec)  # Loads it now: a confined decoder can open no file.

MAX_BYTES: Final = 4 << 20
"""The bytes of all packets of a file that are read. Known ones with dates or places are shorter."""

_DOCTYPE: Final = b"<!DOCTYPE"
_MAX_VALUE: Final = 1_000
_MAX_ELEMENTS: Final = 50_000
_MAX_DEPTH: Final = 50

_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns# "
_PREFIXES: Final = {
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://www.dji.com/drone-dji/1.0/": "drone-dji",
    "http://www.w3.org/2003/01/geo/wgs84_pos#": "geo",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/xap/1.0/": "xmp",
}

_IN_JPEG: Final = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENSION_IN_JPEG: Final = b"http://ns.adobe.com/xmp/extension/\0"
_GUID_BYTES, _OFFSET_AT, _PART_AT = 32, 36, 40
_IN_PNG: Final = b"XML:com.adobe.xmp"
_IN_GIF: Final = b"XMP DataXMP"
_GIF_TRAILER: Final = bytes((1, *range(255, -1, -1), 0))
_IN_HEIF: Final = b"application/rdf+xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """A property with a text value, named by a well-known prefix, such as ``exif:GPSLatitude``.

    `is_nested` is True if it doesn't describe the photo itself but a part of another property, such
    as an ingredient or a place shown.
    """

    name: str
    value: str
    is_nested: bool


def read_properties(data: bytes | mmap, format_name: str) -> list[Property]:
    """Return the properties of a file's packets, in order, without those of other namespaces."""
    return [found for packet in find_packets(data, format_name) for found in parse(packet)]


def find_packets(data: bytes | mmap, format_name: str) -> list[bytes]:
    """Return the XMP packets of an accepted photo, `MAX_BYTES` at most."""
    packets, left = [], MAX_BYTES
    try:
        for packet in _FINDERS[format_name](data):
            packets.append(packet[:left])
            left -= len(packets[-1])
            if not left:
                break
    except (errors.CorruptImage, IndexError, KeyError, struct.error):
        pass  # Those before it count.
    return packets


def parse(packet: bytes) -> list[Property]:
    """Return the properties of a packet, up to the first error in it."""
    packet = _as_utf8(packet)
    if _DOCTYPE in packet:  # Once parsing has started, an exception doesn't stop it.
        return []
    reader = _Reader()
    # The encoding that a packet declares could be any, and is ignored.
    parser = expat.ParserCreate("utf-8", namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.add_text
    with contextlib.suppress(expat.ExpatError, _Stopped, ValueError):
        parser.Parse(packet)
    return reader.properties


def _as_utf8(packet: bytes) -> bytes:
    """Return the packet in UTF-8. Its first character is "<", or a byte order mark."""
    if packet[:2] in {b"\xfe\xff", b"\0<"}:
        return packet.decode("utf-16-be", "replace").encode()
    if packet[:2] in {b"\xff\xfe", b"<\0"}:
        return packet.decode("utf-16-le", "replace").encode()
    return packet.strip(b"\0")


class _Stopped(Exception):
    """A limit was reached."""


class _Reader:
    """Collects properties from the events of the parser."""

    def __init__(self) -> None:
        self.properties: list[Property] = []
        self._open: list[str] = []
        self._elements = 0
        self._text: list[str] | None = None
        """The text of the element that was opened last, unless it has other content."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1 + len(attributes)
        if self._elements > _MAX_ELEMENTS or len(self._open) >= _MAX_DEPTH:
            raise _Stopped
        self._open.append(name)
        self._text = []
        for attribute, value in attributes.items():
            self._add(attribute, value, is_nested=not self._is_in_description(self._open))

    def end(self, name: str) -> None:
        self._open.pop()
        if self._text is not None:
            self._add(name, "".join(self._text), is_nested=not self._is_in_description(self._open))
        self._text = None

    def add_text(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text[:_MAX_VALUE])

    def _add(self, name: str, value: str, *, is_nested: bool) -> None:
        namespace, _, local = name.rpartition(" ")
        prefix, value = _PREFIXES.get(namespace), value[:_MAX_VALUE].strip()
        if prefix and value:
            self.properties.append(
                Property(name=f"{prefix}:{local}", value=value, is_nested=is_nested)
            )

    @staticmethod
    def _is_in_description(elements: list[str]) -> bool:
        """Whether the innermost element is a description of the photo (16684-1, 7.4)."""
        return elements[-2:] == [f"{_RDF}RDF", f"{_RDF}Description"] and len(elements) <= 3


def _packets_in_jpeg(data: bytes | mmap) -> Iterator[bytes]:
    """Yield the packet, and its extension, which may take several segments."""
    extensions: dict[bytes, dict[int, bytes]] = {}
    left = MAX_BYTES
    for start, end in jpeg.application_segments(data, 1):
        segment = data[start:end]
        if segment.startswith(_IN_JPEG):
            yield segment.removeprefix(_IN_JPEG)
        elif segment.startswith(_EXTENSION_IN_JPEG) and left > 0:
            segment = segment.removeprefix(_EXTENSION_IN_JPEG)
            offset = int.from_bytes(segment[_OFFSET_AT:_PART_AT], "big")
            extensions.setdefault(segment[:_GUID_BYTES], {})[offset] = segment[_PART_AT:]
            left -= len(segment)
    for parts in extensions.values():
        yield b"".join(parts[offset] for offset in sorted(parts))


def _packets_in_png(data: bytes | mmap) -> Iterator[bytes]:
    yield from png_text.texts(data, _IN_PNG, limit=MAX_BYTES)
    yield from png_text.raw_profiles(data, b"xmp", limit=MAX_BYTES)
    for profile in png_text.raw_profiles(data, b"APP1", b"app1", limit=MAX_BYTES):
        if profile.startswith(_IN_JPEG):
            yield profile.removeprefix(_IN_JPEG)


def _packets_in_webp(data: bytes | mmap) -> Iterator[bytes]:
    for kind, start, length in webp.chunks(data):
        if kind == b"XMP ":
            yield data[start : start + min(length, MAX_BYTES)]


def _packets_in_gif(data: bytes | mmap) -> Iterator[bytes]:
    """Yield the packet. It isn't in sub-blocks; its trailer leads readers of those to their end."""
    for start, end in gif.application_blocks(data, _IN_GIF):
        packet = data[start : min(end, start + MAX_BYTES)]
        if packet.endswith(_GIF_TRAILER):
            yield packet.removesuffix(_GIF_TRAILER)
        else:
            yield gif.join_sub_blocks(packet)


def _packets_in_heif(data: bytes | mmap) -> Iterator[bytes]:
    for spans in heif.metadata_items(data, b"mime", _IN_HEIF):
        packet = bytearray()
        for start, end in spans:
            packet += data[start : min(end, start + MAX_BYTES - len(packet))]
        yield bytes(packet)


_FINDERS: Final[dict[str, Callable[[bytes | mmap], Iterator[bytes]]]] = {
    "jpeg": _packets_in_jpeg,
    "png": _packets_in_png,
    "webp": _packets_in_webp,
    "gif": _packets_in_gif,
    "avif": _packets_in_heif,
    "heic": _packets_in_heif,
}
