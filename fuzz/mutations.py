"""Mutations of a photo: some blind, some at the sizes and chunks of its format."""

import random
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import containers

_NUMBERS: Final = (0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 2**31 - 1, 2**32 - 1)
_HEAD: Final = 512
_MAX_SIZE: Final = 12 << 20
_MAX_INFLATED: Final = 128 << 20  # `randbytes` returns at most a quarter of a GiB.


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """A number of `width` bytes, `offset` bytes after the start of a marker."""

    marker: bytes
    offset: int
    width: int
    big: bool = True


def _fields(markers: Sequence[bytes], *places: tuple[int, int], big: bool = True) -> list[_Field]:
    return [
        _Field(marker=marker, offset=offset, width=width, big=big)
        for marker in markers
        for offset, width in places
    ]


_SIZES: Final[dict[str, list[_Field]]] = {
    "jpeg": [
        *_fields(
            [b"\xff\xc0", b"\xff\xc1", b"\xff\xc2", b"\xff\xc3"],
            *((1, 1), (2, 2), (4, 1), (5, 2), (7, 2), (9, 1)),
        ),
        *_fields([b"\xff\xc4", b"\xff\xdb", b"\xff\xda", b"\xff\xe1", b"\xff\xe2"], (2, 2)),
        *_fields([b"\xff\xda"], (4, 1), (5, 2), (7, 2), (9, 2)),
        *_fields([b"ICC_PROFILE"], (12, 1), (13, 1), (142, 4)),
        *_fields([b"cicp"], (4, 4), (8, 4), (8, 1), (9, 1), (10, 1), (11, 1)),
    ],
    "png": [
        *_fields([b"IHDR"], (-4, 4), (4, 4), (8, 4), (12, 1), (13, 1), (16, 1)),
        *_fields([b"IDAT", b"PLTE", b"tRNS", b"iCCP", b"fdAT", b"eXIf"], (-4, 4)),
        *_fields([b"cICP", b"sRGB"], (-4, 4), (4, 1), (5, 1), (6, 1), (7, 1)),
        *_fields([b"gAMA", b"cHRM", b"cLLI", b"mDCV"], (-4, 4), (4, 4), (8, 4), (12, 4), (20, 4)),
        *_fields([b"acTL", b"fcTL"], (-4, 4), (4, 4), (8, 4), (12, 4), (16, 4)),
    ],
    "gif": [
        *_fields([b"GIF8"], (6, 2), (8, 2), (10, 1), big=False),
        *_fields([b"\x00\x2c"], (2, 2), (4, 2), (6, 2), (8, 2), (10, 1), (11, 1), big=False),
    ],
    "webp": [
        *_fields([b"RIFF", b"VP8 ", b"VP8L", b"ANIM", b"ALPH", b"EXIF"], (4, 4), big=False),
        *_fields([b"VP8X"], (4, 4), (8, 1), (12, 3), (15, 3), big=False),
        *_fields([b"ANMF"], (4, 4), (8, 3), (11, 3), (14, 3), (17, 3), big=False),
        *_fields([b"VP8 "], (14, 2), (16, 2), big=False),
        *_fields([b"VP8L"], (9, 4), big=False),
    ],
    "heif": [
        *_fields([b"ispe"], (-4, 4), (8, 4), (12, 4)),
        *_fields([b"meta", b"mdat", b"iprp", b"ipco", b"iinf", b"iref", b"hvcC", b"av1C"], (-4, 4)),
        *_fields([b"iloc"], (-4, 4), (8, 2), (10, 2), (16, 2), (18, 4), (22, 4), (26, 4)),
        *_fields([b"ipma", b"clap", b"irot", b"imir", b"pixi", b"colr"], (-4, 4), (4, 4), (8, 4)),
        *_fields([b"idat"], (4, 4), (8, 4), (12, 4)),
        *_fields([b"pitm", b"thmb", b"dimg", b"auxl"], (-4, 4), (4, 2), (6, 2), (8, 2)),
        *_fields([b"moov", b"trak", b"mdia", b"stsd", b"stsz", b"stts"], (-4, 4), (8, 4), (12, 4)),
        *_fields([b"mdhd"], (4, 1), (16, 4), (24, 4)),
        *_fields([b"nclx"], (4, 2), (6, 2), (8, 2), (10, 1)),
        *_fields([b"ipma", b"clli"], (-4, 4), (4, 2), (6, 2), (8, 1), (12, 2), (14, 2)),
    ],
}


def mutate(data: bytes, other: bytes, rng: random.Random) -> tuple[bytes, list[str]]:
    """Apply one to four mutations, and return their names as well.

    `other` is a photo whose parts may be inserted.
    """
    mutations = rng.choices(_MUTATIONS, k=rng.choice((1, 1, 1, 2, 2, 3, 4)))
    for mutation in mutations:
        data = mutation(data or b"\0", other, rng)[:_MAX_SIZE]
    return data, [mutation.__name__ for mutation in mutations]


def flip_bits(data: bytes, _other: bytes, rng: random.Random) -> bytes:
    flipped = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20, 100))):
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
    return bytes(flipped)


def truncate(data: bytes, _other: bytes, rng: random.Random) -> bytes:
    return data[: rng.choice((rng.randrange(len(data)), len(data) - 1 - rng.randrange(16)))]


def splice(data: bytes, other: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


def repeat_block(data: bytes, _other: bytes, rng: random.Random) -> bytes:
    start, length = _block(data, rng)
    times = min(rng.choice((1, 2, 10, 1000)), _max_repeats(length))
    return data[: start + length] + data[start : start + length] * times + data[start + length :]


def _max_repeats(length: int) -> int:
    """Return how often `length` bytes can be repeated before the file is cut off."""
    return 1 + _MAX_SIZE // max(length, 1)


def remove_block(data: bytes, _other: bytes, rng: random.Random) -> bytes:
    start, length = _block(data, rng)
    return data[:start] + data[start + length :]


def overwrite_block(data: bytes, _other: bytes, rng: random.Random) -> bytes:
    start, length = _block(data, rng)
    filler = rng.choice((bytes(length), b"\xff" * length, rng.randbytes(length)))
    return data[:start] + filler + data[start + length :]


def edit_head(data: bytes, _other: bytes, rng: random.Random) -> bytes:
    edited = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        width = rng.choice((1, 2, 4))
        at = rng.randrange(4, max(min(len(data), _HEAD), 5))
        edited[at : at + width] = _number(rng, 0, width, big=rng.random() < 0.7)
    return bytes(edited)


def edit_sizes(data: bytes, _other: bytes, rng: random.Random) -> bytes:
    edited = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        field = rng.choice(_SIZES.get(containers.kind(data)) or _SIZES["jpeg"])
        places = _places(edited, field.marker)
        at = (rng.choice(places) if places else 0) + field.offset
        old = int.from_bytes(
            edited[max(at, 0) : at + field.width], "big" if field.big else "little"
        )
        if at >= 0:
            edited[at : at + field.width] = _number(rng, old, field.width, big=field.big)
    return containers.with_correct_checksums(bytes(edited)) if rng.random() < 0.9 else bytes(edited)


def shuffle_chunks(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Reorder, drop, repeat or insert chunks, with correct checksums and lengths."""
    head, chunks = containers.split(data)
    if len(chunks) < 2:
        return flip_bits(data, other, rng)
    one, two = rng.randrange(len(chunks)), rng.randrange(len(chunks))
    action = rng.randrange(5)
    if action == 0:
        chunks[one], chunks[two] = chunks[two], chunks[one]
    elif action == 1:
        del chunks[one]
    elif action == 2:
        times = min(rng.choice((1, 2, 50, 2000)), _max_repeats(len(chunks[two])))
        chunks[one:one] = [chunks[two]] * times
    elif action == 3:
        rng.shuffle(chunks)
    elif borrowed := containers.split(other)[1]:
        chunks.insert(one, rng.choice(borrowed))
    return containers.join(head, chunks)


def mutate_compressed(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Mutate the compressed data of a PNG, with correct checksums."""
    head, chunks = containers.split(data)
    packed = [n for n, chunk in enumerate(chunks) if chunk[4:8] in {b"IDAT", b"fdAT"}]
    if containers.kind(data) != "png" or not packed:
        return flip_bits(data, other, rng)
    at = rng.choice(packed)
    try:
        lines = bytearray(zlib.decompressobj().decompress(chunks[at][8:-4], _MAX_INFLATED))
    except zlib.error:
        return flip_bits(data, other, rng)
    lines = bytearray(overwrite_block(bytes(lines) or b"\0", other, rng))
    body = zlib.compress(bytes(lines[: rng.choice((len(lines), rng.randrange(len(lines) + 1)))]))
    chunks[at] = struct.pack(">I", len(body)) + chunks[at][4:8] + body + bytes(4)
    return containers.join(head, chunks)


def _block(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data))
    return start, rng.randint(1, min(rng.choice((4, 64, 4096, len(data))), len(data)))


def _number(rng: random.Random, old: int, width: int, *, big: bool) -> bytes:
    value = rng.choice((old + 1, old - 1, old * 2, old // 2, rng.getrandbits(32), *_NUMBERS))
    return (value % (1 << 8 * width)).to_bytes(width, "big" if big else "little")


def _places(data: bytearray, marker: bytes) -> list[int]:
    places: list[int] = []
    at = data.find(marker)
    while at >= 0 and len(places) < 200:
        places.append(at)
        at = data.find(marker, at + 1)
    return places


_Mutation = Callable[[bytes, bytes, random.Random], bytes]
_MUTATIONS: Final[tuple[_Mutation, ...]] = (
    *(flip_bits, truncate, splice, repeat_block, remove_block, overwrite_block),
    *(edit_head, edit_sizes, edit_sizes, shuffle_chunks, shuffle_chunks, mutate_compressed),
)
