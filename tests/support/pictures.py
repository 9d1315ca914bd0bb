"""Photos for tests: good ones made from real photographs, and hostile ones made byte by byte.

Most functions return the bytes of a file. The photographs are from scikit-image.
"""

import importlib.util
import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image

TEXT = b"This is a text, and not a picture.\n" * 20
HTML = b"<!doctype html><html><body><script>alert(1)</script></body></html>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9"/></svg>'
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"

X265_PRESET = "ultrafast"
"""It takes a fifth of the time of the default."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MEBIBYTE = 1 << 20
ORIENTATION, EXIF_IFD, DATE_TIME_ORIGINAL, OFFSET_TIME_ORIGINAL = 0x0112, 0x8769, 0x9003, 0x9011


@cache
def astronaut(width: int = 256, height: int = 192, mode: str = "RGB") -> Image.Image:
    """Return a real photograph of any size."""
    return _astronaut().resize((width, height)).convert(mode)


@cache
def _astronaut() -> Image.Image:
    # Not by an import of scikit-image, which takes seconds.
    package = importlib.util.find_spec("skimage")
    assert package is not None
    assert package.origin is not None
    with Image.open(Path(package.origin).with_name("data") / "astronaut.png") as image:
        return Image.fromarray(np.asarray(image))  # without its profile


def exif(
    orientation: int | None = None, taken_at: str | None = None, offset: str | None = None
) -> Image.Exif:
    fields = Image.Exif()
    if orientation is not None:
        fields[ORIENTATION] = orientation
    times = fields.get_ifd(EXIF_IFD)
    if taken_at is not None:
        times[DATE_TIME_ORIGINAL] = taken_at
    if offset is not None:
        times[OFFSET_TIME_ORIGINAL] = offset
    return fields


def exif_times(original: str, digitized: str) -> bytes:
    """Return an EXIF block with fractions of a second, and an offset for the first time."""
    fields = exif(1, original, "+02:00")
    fields.get_ifd(EXIF_IFD).update({0x9291: "12", 0x9004: digitized, 0x9292: "5"})
    return fields.tobytes()


def save(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def jpeg(width: int = 256, height: int = 192, mode: str = "RGB", **options: Any) -> bytes:
    return save(astronaut(width, height, mode), "JPEG", **options)


def png(width: int = 256, height: int = 192, mode: str = "RGB", **options: Any) -> bytes:
    return save(astronaut(width, height, mode), "PNG", **options)


def png_16_bit(width: int = 64, height: int = 48) -> bytes:
    grey = np.asarray(astronaut(width, height, "L")).astype(np.uint16) * 257
    return save(Image.fromarray(grey), "PNG")


def gif(width: int = 128, height: int = 96) -> bytes:
    return save(astronaut(width, height), "GIF")


def webp(width: int = 256, height: int = 192, **options: Any) -> bytes:
    return save(astronaut(width, height), "WEBP", **options)


def avif(width: int = 256, height: int = 192, mode: str = "RGB", **options: Any) -> bytes:
    return save(astronaut(width, height, mode), "AVIF", speed=10, **options)


def heic(width: int = 256, height: int = 192, mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    image = pillow_heif.from_pillow(astronaut(width, height, mode))
    image.save(file, enc_params={"preset": X265_PRESET}, **options)
    return file.getvalue()


def heic_of_10_bits(width: int = 256, height: int = 192) -> bytes:
    pixels = np.asarray(astronaut(width, height)).astype(np.uint16) * 257
    image = pillow_heif.from_bytes(mode="RGB;16", size=(width, height), data=pixels.tobytes())
    file = io.BytesIO()
    image.save(file, enc_params={"preset": X265_PRESET})
    return file.getvalue()


def animated(
    form: str, frames: int = 5, width: int = 64, height: int = 48, **options: Any
) -> bytes:
    """Make a GIF, WEBP or PNG in which the photograph moves sideways."""
    first = np.asarray(astronaut(width, height))
    images = [Image.fromarray(np.roll(first, 5 * step, axis=1)) for step in range(frames)]
    return save(images[0], form, save_all=True, append_images=images[1:], duration=40, **options)


class LazyFiles(Mapping[str, bytes]):
    """Files by name, each of which is made when a test needs it, not when tests are collected."""

    def __init__(self, makers: Mapping[str, Callable[[], bytes]]) -> None:
        self._makers = makers
        self._made: dict[str, bytes] = {}

    def __getitem__(self, name: str) -> bytes:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


@cache
def photographs() -> Mapping[str, bytes]:
    """Return good photos of each kind by name, 256 by 192 pixels."""
    return LazyFiles(
        {
            "jpeg": jpeg,
            "progressive jpeg": lambda: jpeg(progressive=True),
            "cmyk jpeg": lambda: jpeg(mode="CMYK"),
            "grey jpeg": lambda: jpeg(mode="L"),
            "png": png,
            "palette png": lambda: png(mode="P"),
            "bilevel png": lambda: png(mode="1"),
            "alpha png": lambda: png(mode="RGBA"),
            "16-bit png": lambda: png_16_bit(256, 192),
            "animated png": lambda: animated("PNG", 3, 256, 192),
            "gif": lambda: gif(256, 192),
            "animated gif": lambda: animated("GIF", 3, 256, 192),
            "webp": webp,
            "lossless webp": lambda: webp(lossless=True),
            "animated webp": lambda: animated("WEBP", 3, 256, 192),
            "avif": avif,
            "grey avif": lambda: avif(mode="L"),
            "heic": heic,
            "grey heic": lambda: heic(mode="L"),
        }
    )


GAIN_MAP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF'
    b' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
    b' xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"'
    b' hdrgm:GainMapMax="2"/></rdf:RDF></x:xmpmeta>'
)
"""XMP of a JPEG that is followed by a gain map."""


def jpeg_before(other: Image.Image, **options: Any) -> bytes:
    """Make a JPEG that is followed by another image, as some cameras and phones do (MPO)."""
    return save(astronaut(), "MPO", save_all=True, append_images=[other], **options)


def truncate(data: bytes, percent: int) -> bytes:
    return data[: len(data) * percent // 100]


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def zipped(name: str = "payload.html", body: bytes = HTML) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, body)
    return file.getvalue()


def deflated_zeros(size: int) -> bytes:
    """Compress `size` zeros, to about a thousandth, without the time for all of them."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = deflate.compress(bytes(_MEBIBYTE)) + deflate.flush(zlib.Z_FULL_FLUSH)
    last = deflate.compress(bytes(size % _MEBIBYTE)) + deflate.flush()
    adler32 = size % 65521 << 16 | 1
    return b"\x78\xda" + block * (size // _MEBIBYTE) + last + struct.pack(">I", adler32)


def png_chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I4s", len(data), kind) + data + struct.pack(">I", zlib.crc32(kind + data))


def png_chunks(data: bytes | bytearray) -> list[tuple[bytes, int, int]]:
    """Return kind, start and end of each chunk, with its length and CRC."""
    found, position = [], len(PNG_SIGNATURE)
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        found.append((kind, position, position + 12 + length))
        position += 12 + length
    return found


def png_of_zeros(
    width: int, height: int, depth: int = 1, bands: int = 1, *, interlaced: bool = False
) -> bytes:
    """Make a valid black PNG of any size, without the memory for its pixels.

    `bands` is 1 for grey, 3 for colours, 4 with alpha too.
    """
    size = sum(
        lines * (1 + (pixels * depth * bands + 7) // 8)
        for pixels, lines in _png_passes(width, height, interlaced=interlaced)
        if pixels
    )
    header = struct.pack(
        ">IIBBBBB", width, height, depth, {1: 0, 3: 2, 4: 6}[bands], 0, 0, interlaced
    )
    return (
        PNG_SIGNATURE
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", deflated_zeros(size))
        + png_chunk(b"IEND")
    )


def _png_passes(width: int, height: int, *, interlaced: bool) -> list[tuple[int, int]]:
    """Return width and height of each reduced image (PNG, third edition, 8.1)."""
    starts_and_steps = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4)]
    starts_and_steps += [(1, 0, 2, 2), (0, 1, 1, 2)]
    if not interlaced:
        return [(width, height)]
    return [
        (len(range(left, width, across)), len(range(top, height, down)))
        for left, top, across, down in starts_and_steps
    ]


def png_with(chunk: bytes) -> bytes:
    """Make a good PNG with an additional chunk before its pixels."""
    data = png(64, 48)
    after_header = png_chunks(data)[0][2]
    return data[:after_header] + chunk + data[after_header:]


def png_before_its_end(chunk: bytes) -> bytes:
    """Make a good PNG with an additional chunk behind its pixels."""
    data = png(64, 48)
    return data[:-12] + chunk + data[-12:]


def png_of_mebibytes(mebibytes: int, seed: int = 1) -> bytes:
    """Make a small picture in a large file that consists mostly of private chunks."""
    chunks = (png_chunk(b"saFe", noise(_MEBIBYTE, seed + part)) for part in range(mebibytes))
    return png_with(b"".join(chunks))


def png_with_wrong_crc(kind: bytes = b"IDAT") -> bytes:
    data = bytearray(png())
    end = next(end for name, _, end in png_chunks(data) if name == kind)
    data[end - 1] ^= 0x01
    return bytes(data)


def png_before_its_animation() -> bytes:
    """Make an APNG of two frames, 40 ms each, after a still image that is not one of them."""
    return save(
        astronaut(64, 48),
        "PNG",
        save_all=True,
        default_image=True,
        append_images=[astronaut(64, 48).rotate(angle) for angle in (10, 20)],
        duration=40,
    )


def png_of_delays(*delays: tuple[int, int]) -> bytes:
    """Make an APNG whose frames have these delays, as fractions of a second."""
    first, *others = (
        png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 64, 48, 0, 0, *delay, 0, 0))
        for delay in delays
    )
    data = png_with(png_chunk(b"acTL", struct.pack(">II", len(delays), 0)) + first)
    return data[:-12] + b"".join(others) + data[-12:]


# JPEG, byte by byte


def jpeg_segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def jpeg_claiming(width: int, height: int, *, progressive: bool = False) -> bytes:
    """Make a good small JPEG whose header claims another size."""
    data = bytearray(jpeg(64, 48, progressive=progressive))
    frame = data.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    struct.pack_into(">HH", data, frame + 5, height, width)
    return bytes(data)


def jpeg_of_scans(scans: int, width: int = 64, height: int = 48) -> bytes:
    """Make a progressive JPEG of many scans, of which only the first has content."""
    start = jpeg_segment(0xDB, b"\0" + b"\x01" * 64)
    start += jpeg_segment(0xC2, struct.pack(">BHHBBBB", 8, height, width, 1, 1, 0x11, 0))
    for table in (0x00, 0x10):  # One code of one bit each: no difference, and end of block.
        start += jpeg_segment(0xC4, bytes([table, 1, *[0] * 15, 0]))
    blocks = -(-width // 8) * -(-height // 8)
    zeros = bytes(-(-blocks // 8))  # One bit a block.
    first = jpeg_segment(0xDA, bytes([1, 1, 0x00, 0, 0, 0])) + zeros
    again = jpeg_segment(0xDA, bytes([1, 1, 0x00, 1, 63, 0])) + zeros
    return b"\xff\xd8" + start + first + again * (scans - 1) + b"\xff\xd9"


def jpeg_of_kind(marker: int, precision: int = 8) -> bytes:
    """Make a JPEG that claims another process or number of bits than it has."""
    data = bytearray(jpeg(64, 48))
    frame = data.index(b"\xff\xc0")
    data[frame + 1], data[frame + 4] = marker, precision
    return bytes(data)


def jpeg_lossless(image: Image.Image) -> bytes:
    """Make a lossless JPEG (ITU-T T.81, annex H) of an image in RGB, predicted from the left."""
    pixels = np.asarray(image).astype(int)
    height, width, bands = pixels.shape
    predicted = np.empty_like(pixels)
    predicted[:, 1:], predicted[1:, 0], predicted[0, 0] = pixels[:, :-1], pixels[:-1, 0], 128
    bits = "".join(_lossless_code(int(each)) for each in (pixels - predicted).ravel())
    bits += "1" * (-len(bits) % 8)
    coded = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    start = jpeg_segment(0xEE, b"Adobe" + bytes([0, 100, 0, 0, 0, 0, 0]))
    parts = b"".join(bytes([number, 0x11, 0]) for number in range(1, bands + 1))
    start += jpeg_segment(0xC3, struct.pack(">BHHB", 8, height, width, bands) + parts)
    start += jpeg_segment(0xC4, bytes([0, 0, 0, 0, 9, *[0] * 12, *range(9)]))
    scan = bytes(
        [bands, *(part for number in range(1, bands + 1) for part in (number, 0)), 1, 0, 0]
    )
    return b"\xff\xd8" + start + jpeg_segment(0xDA, scan) + coded + b"\xff\xd9"


def _lossless_code(difference: int) -> str:
    """Return the bits of a difference: four for its length, then itself, as ones' complement."""
    length = abs(difference).bit_length()
    value = difference if difference > 0 else difference + (1 << length) - 1
    return f"{length:04b}" + (f"{value:0{length}b}" if length else "")


# GIF, byte by byte


GifFrame = tuple[int, int, int, int]
"""Left, top, width and height."""


def gif_of_rectangles(
    canvas: tuple[int, int],
    *frames: GifFrame,
    delay: int | None = None,
    before: bytes = b"",
    trailer: bytes = b"\x3b",
) -> bytes:
    """Make a GIF of opaque frames in red, on a canvas of any size, with a delay in hundredths."""
    data = b"GIF89a" + struct.pack("<HHBBB", *canvas, 0x80, 0, 0) + bytes([0, 255, 0, 200, 10, 10])
    data += before
    for left, top, width, height in frames:
        if delay is not None:
            data += b"\x21\xf9\x04\0" + struct.pack("<H", delay) + bytes(2)
        data += b"\x2c" + struct.pack("<HHHHB", left, top, width, height, 0) + b"\x02"
        # One code of three bits for each pixel, and a clear code before each second one.
        pairs, odd = divmod(width * height, 2)
        codes = [*(4, 1, 1) * pairs, *(4, 1) * odd, 5]
        number = sum(code << 3 * place for place, code in enumerate(codes))
        coded = number.to_bytes(-(-3 * len(codes) // 8), "little")
        blocks = [coded[at : at + 255] for at in range(0, len(coded), 255)]
        data += b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"
    return data + trailer


def gif_of_frames(frames: int, width: int = 1, height: int = 1) -> bytes:
    """Make a GIF of one-pixel frames on a canvas of any size."""
    header = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return header + frame * frames + b"\x3b"


def gif_with_a_bad_second_frame() -> bytes:
    """Make a GIF of complete blocks whose second frame begins with an invalid code."""
    good = gif_of_frames(1)
    return good[:-1] + good[19:-1].replace(b"\x02\x44\x01", b"\x02\xff\xff") + b"\x3b"


def gif_cuts_between_frames(data: bytes) -> list[bytes]:
    """Return the GIF, truncated after each of its frames."""
    cuts, start = [], 0
    while (start := data.find(b"\x00\x21\xf9\x04", start + 1)) >= 0:
        cuts.append(data[: start + 1])
    return cuts[1:]


# WebP, byte by byte


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(data)) + data + bytes(len(data) & 1) for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_of_one_colour(width: int, height: int) -> bytes:
    """Make a lossless WebP of up to 16,384 pixels a side in some thirty bytes."""
    bits = (width - 1) | (height - 1) << 14
    return riff((b"VP8L", b"\x2f" + struct.pack("<I", bits) + bytes.fromhex("88880800")))


def webp_of_frames(frames: int, width: int, height: int) -> bytes:
    """Make an animated WebP of one good 64 by 48 frame, repeated, on a canvas of any size."""
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    picture = webp(64, 48)[12:]
    frame = bytes(6) + (63).to_bytes(3, "little") + (47).to_bytes(3, "little")
    frame += (20).to_bytes(3, "little") + b"\x00" + picture
    return riff(
        (b"VP8X", b"\x02\0\0\0" + canvas), (b"ANIM", bytes(6)), *[(b"ANMF", frame)] * frames
    )


def webp_with_a_bad_second_frame() -> bytes:
    """Make an animated WebP of complete chunks whose second frame has invalid data."""
    data = webp_of_frames(2, 64, 48)
    pixels = data.rindex(b"VP8 ") + 22
    return data[:pixels] + b"\xff" * (len(data) - pixels)


def heic_pair() -> bytes:
    """Make a HEIC of the photograph and a second image, which is not the primary one."""
    file, pair = io.BytesIO(), pillow_heif.from_pillow(astronaut())
    pair.add_from_pillow(astronaut(200, 100))
    pair.save(file, primary_index=0, enc_params={"preset": X265_PRESET})
    return file.getvalue()


# HEIF, byte by byte


def heif_claiming(data: bytes, width: int, height: int) -> bytes:
    """Change the size in the properties of a good AVIF or HEIC."""
    claiming = bytearray(data)
    struct.pack_into(">II", claiming, claiming.index(b"ispe") + 8, width, height)
    return bytes(claiming)


def heif_grid_of(data: bytes, width: int, height: int) -> bytes:
    """Make a HEIC whose image is a grid of another size than its properties claim."""
    item = data.index(b"hvc1", data.index(b"infe"))
    changed = bytearray(data)
    changed[item : item + 4] = b"grid"
    pixels = data.index(b"mdat") + 4
    changed[pixels : pixels + 12] = struct.pack(">BBBBII", 0, 1, 63, 63, width, height)
    return bytes(changed)


def heif_box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def heif_content(data: bytes, kind: bytes) -> bytes:
    """Return the content of the first box of a kind, found by its name alone."""
    at = data.index(kind) - 4
    return data[at + 8 : at + int.from_bytes(data[at : at + 4], "big")]


def heif_with_properties(data: bytes, *properties: bytes) -> bytes:
    """Give the only image of a small AVIF or HEIC more properties, each a box, after its own.

    The location of the image's data is that of before: the header can be read, not the pixels.
    """
    changed, start = bytearray(data), data.index(b"ipco") - 4
    end = start + int.from_bytes(data[start : start + 4], "big")
    at, count = start + 8, 0
    while at < end:
        at, count = at + int.from_bytes(data[at : at + 4], "big"), count + 1
    table = data.index(b"ipma") - 4
    last = table + int.from_bytes(data[table : table + 4], "big")
    numbers = bytes(count + 1 + number for number in range(len(properties)))
    changed[table + 18] += len(properties)
    changed[last:last] = numbers
    changed[end:end] = b"".join(properties)
    added = len(changed) - len(data)
    for kind, more in (
        (b"ipma", len(numbers)),
        (b"ipco", added - len(numbers)),
        (b"iprp", added),
        (b"meta", added),
    ):
        box = changed.index(kind) - 4
        size = int.from_bytes(changed[box : box + 4], "big") + more
        changed[box : box + 4] = size.to_bytes(4, "big")
    return bytes(changed)


def heif_grid(tile: bytes, columns: int, rows: int) -> bytes:
    """Make a good AVIF or HEIC that repeats the image of another one as tiles.

    All tiles have the same bytes. `tile` must be no smaller than 64 by 64 pixels.
    """
    coded, config = (b"hvc1", b"hvcC") if b"hvcC" in tile else (b"av01", b"av1C")
    width, height = struct.unpack(">II", heif_content(tile, b"ispe")[4:])
    size = struct.pack(">II", width * columns, height * rows)
    grid = struct.pack(">BBBB", 0, 1, rows - 1, columns - 1) + size
    tiles = range(2, 2 + columns * rows)
    pixels = heif_content(tile, b"mdat")

    def meta(start: int) -> bytes:
        at = struct.pack(">IHH", 1 << 24, 0x4400, 1 + len(tiles))
        at += struct.pack(">HHHHII", 1, 1, 0, 1, 0, len(grid))
        for item in tiles:
            at += struct.pack(">HHHHII", item, 0, 0, 1, start, len(pixels))
        kinds = [
            heif_box(b"infe", struct.pack(">IHH4sB", 2 << 24, item, 0, kind, 0))
            for item, kind in [(1, b"grid"), *((item, coded) for item in tiles)]
        ]
        properties = heif_box(
            b"ipco",
            heif_box(b"ispe", bytes(4), size),
            heif_box(b"ispe", heif_content(tile, b"ispe")),
            heif_box(config, heif_content(tile, config)),
        )
        uses = struct.pack(">IIHBB", 0, 1 + len(tiles), 1, 1, 1)
        uses += b"".join(struct.pack(">HBBB", item, 2, 2, 0x83) for item in tiles)
        parts = struct.pack(f">HH{len(tiles)}H", 1, len(tiles), *tiles)
        return heif_box(
            b"meta",
            bytes(4),
            heif_box(b"hdlr", bytes(8), b"pict", bytes(13)),
            heif_box(b"pitm", bytes(4), struct.pack(">H", 1)),
            heif_box(b"iinf", bytes(4), struct.pack(">H", len(kinds)), *kinds),
            heif_box(b"iref", bytes(4), heif_box(b"dimg", parts)),
            heif_box(b"iprp", properties, heif_box(b"ipma", uses)),
            heif_box(b"iloc", at),
            heif_box(b"idat", grid),
        )

    head = heif_box(b"ftyp", heif_content(tile, b"ftyp"))
    start = len(head) + len(meta(0)) + 8
    return head + meta(start) + heif_box(b"mdat", pixels)


HeifItem = tuple[int, bytes, bytes, tuple[int, ...]]
"""Number, kind, data, and the numbers of its properties, from 1."""


def heif_file(
    brand: bytes,
    items: Sequence[HeifItem],
    properties: list[bytes],
    references: tuple[tuple[bytes, int, tuple[int, ...]], ...] = (),
    *,
    primary: int = 1,
) -> bytes:
    """Make a HEIF file of any items, properties and references."""

    def meta(start: int) -> bytes:
        at, kinds, uses = struct.pack(">IHH", 0, 0x4400, len(items)), [], b""
        for number, kind, data, wanted in items:
            at += struct.pack(">HHHII", number, 0, 1, start, len(data))
            start += len(data)
            kinds.append(heif_box(b"infe", struct.pack(">IHH4sB", 2 << 24, number, 0, kind, 0)))
            uses += struct.pack(">HB", number, len(wanted)) + bytes(wanted)
        refers = [
            heif_box(kind, struct.pack(f">HH{len(targets)}H", source, len(targets), *targets))
            for kind, source, targets in references
        ]
        return heif_box(
            b"meta",
            bytes(4),
            heif_box(b"hdlr", bytes(8), b"pict", bytes(13)),
            heif_box(b"pitm", bytes(4), struct.pack(">H", primary)),
            heif_box(b"iinf", bytes(4), struct.pack(">H", len(kinds)), *kinds),
            *([heif_box(b"iref", bytes(4), *refers)] if refers else []),
            heif_box(
                b"iprp",
                heif_box(b"ipco", *properties),
                heif_box(b"ipma", struct.pack(">II", 0, len(items)), uses),
            ),
            heif_box(b"iloc", at),
        )

    head = heif_box(b"ftyp", brand, bytes(4), b"mif1", brand)
    start = len(head) + len(meta(0)) + 8
    return head + meta(start) + heif_box(b"mdat", *(data for _, _, data, _ in items))


def heif_parts(data: bytes) -> tuple[bytes, list[bytes]]:
    """Return the coded picture of a good AVIF or HEIC, and its properties: size and codec."""
    config = b"hvcC" if b"hvcC" in data else b"av1C"
    boxes = [heif_box(kind, heif_content(data, kind)) for kind in (b"ispe", config)]
    return heif_content(data, b"mdat"), boxes


def heif_with_second(
    large: bytes, small: bytes, reference: bytes | None = b"thmb", **changes: Any
) -> bytes:
    """Make an AVIF or HEIC of two pictures, of which the second is the thumbnail of the first."""
    (one, properties), (two, others) = heif_parts(large), heif_parts(small)
    brand, kind = (b"heic", b"hvc1") if b"hvcC" in large else (b"avif", b"av01")
    items = [(1, changes.pop("kind", kind), one, (1, 0x82)), (2, kind, two, (3, 0x84))]
    return heif_file(
        brand,
        items,
        [*properties, *others],
        ((reference, 2, (1,)),) if reference else (),
        **changes,
    )


def with_and_without_last_lines(width: int, height: int, form: str) -> tuple[bytes, bytes]:
    """Return a photo, and what is left of it without its last line, or its last lines of blocks."""
    picture = astronaut(width, height).convert("L")
    if form == "JPEG":
        whole = save(picture, form, restart_marker_rows=1)
        markers = [whole.rfind(bytes([0xFF, 0xD0 + number])) for number in range(8)]
        start = max(markers)
        return whole, (whole[:start] if start > 0 else whole[: len(whole) // 2]) + b"\xff\xd9"
    rows = np.asarray(picture).reshape(height, width)
    lines = [b"\0" + bytes(row) for row in rows]
    return png_of_lines(width, height, lines), png_of_lines(width, height, lines[:-1])


def png_of_lines(width: int, height: int, lines: Sequence[bytes]) -> bytes:
    """Return a grey PNG of lines that may be too few; each begins with its filter."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"".join(lines)))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def jpeg_without_its_last_block() -> bytes:
    """Return a JPEG whose data end early, before the mark of its end."""
    whole = save(astronaut(144, 144).convert("L"), "JPEG")
    return whole[:-40] + b"\xff\xd9"
