"""Photos with metadata in the places where each format keeps it, and a reader of renditions."""

import io
from collections.abc import Callable
from typing import Any, Final

from PIL import Image, PngImagePlugin

from support import pictures

_NAMESPACES = (
    'xmlns:exif="http://ns.adobe.com/exif/1.0/"'
    ' xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
    ' xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
)
_GIF_TRAILER = bytes((1, *range(255, -1, -1), 0))


def xmp_packet(content: str = "", attributes: str = "") -> bytes:
    """Return an XMP packet with this XML in the description of the photo."""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {_NAMESPACES} {attributes}>{content}</rdf:Description>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def gif_with_xmp(packet: bytes, *, width: int = 64, height: int = 48) -> bytes:
    """Return a GIF with the packet in an application extension."""
    plain = pictures.gif(width, height)
    start = 13 + (3 << ((plain[10] & 7) + 1))
    extension = b"\x21\xff\x0bXMP DataXMP" + packet + _GIF_TRAILER
    return plain[:start] + extension + plain[start:]


def png_with_raw_profile(kind: str, block: bytes, **options: Any) -> bytes:
    """Return a PNG with a profile as ImageMagick writes it."""
    texts = PngImagePlugin.PngInfo()
    profile = f"\n{kind}\n{len(block):8}\n{block.hex()}\n"
    texts.add_text(f"Raw profile type {kind}", profile, zip=True)
    return pictures.png(64, 48, pnginfo=texts, **options)


def png_with_xmp(packet: bytes, *, compressed: bool = False) -> bytes:
    """Return a PNG with the packet in an iTXt chunk."""
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", packet.decode(), zip=compressed)
    return pictures.png(64, 48, pnginfo=texts)


def jpeg_with_extended_xmp(packet: bytes, extension: bytes, *, part: int = 100) -> bytes:
    """Return a JPEG with an extension of the packet, in segments that are out of order."""
    guid, segments = b"A" * 32, []
    for start in range(0, len(extension), part):
        body = b"http://ns.adobe.com/xmp/extension/\0" + guid
        body += len(extension).to_bytes(4, "big") + start.to_bytes(4, "big")
        body += extension[start : start + part]
        segments.append(b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body)
    plain = pictures.jpeg(64, 48, xmp=packet)
    return plain[:2] + b"".join(reversed(segments)) + plain[2:]


WITH_XMP: Final[dict[str, Callable[[bytes], bytes]]] = {
    "jpeg": lambda packet: pictures.jpeg(64, 48, xmp=packet),
    "png": png_with_xmp,
    "png compressed": lambda packet: png_with_xmp(packet, compressed=True),
    "png raw profile": lambda packet: png_with_raw_profile("xmp", packet),
    "png raw app1 profile": lambda packet: png_with_raw_profile(
        "APP1", b"http://ns.adobe.com/xap/1.0/\0" + packet
    ),
    "webp": lambda packet: pictures.webp(64, 48, xmp=packet),
    "gif": gif_with_xmp,
    "avif": lambda packet: pictures.avif(64, 48, xmp=packet),
    "heic": lambda packet: pictures.heic(64, 48, xmp=packet),
}
"""Functions that put a packet into a photo; each name begins with that of the format."""


def metadata_of(data: bytes) -> list[str]:
    """Return all metadata in a rendition, found by readers other than libvips."""
    chunks = _jpeg_segments(data) if data.startswith(b"\xff\xd8") else _webp_chunks(data)
    picture = Image.open(io.BytesIO(data))
    picture.load()
    found = [
        str(key)
        for key in picture.info
        if key not in {"loop", "background", "timestamp", "duration", "dpi"}
        and not str(key).startswith("jfif")
    ]
    return [
        *(chunk for chunk in chunks if chunk not in {"VP8 ", "VP8L", "VP8X", "ALPH", "JFIF\0"}),
        *found,
        *map(str, picture.getexif()),
    ]


def _webp_chunks(data: bytes) -> list[str]:
    """Return the kinds of chunks of a WebP."""
    found, at = [], 12
    while at < len(data):
        found.append(data[at : at + 4].decode())
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "little") + 1 & ~1
    return found


def _jpeg_segments(data: bytes) -> list[str]:
    """Return how the application segments and comments of a JPEG begin, before its first scan."""
    found, at = [], 2
    while (marker := data[at + 1]) != 0xDA:
        if 0xE0 <= marker <= 0xEF or marker == 0xFE:
            found.append(data[at + 4 : at + 9].decode("latin-1"))
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return found
