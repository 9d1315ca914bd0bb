"""Read the colour description in an AV1 bitstream (AV1 specification, 5.3 to 5.5)."""

from typing import Final

_SEQUENCE_HEADER: Final = 1
_MAX_UNITS: Final = 10
_MAX_LENGTH_BYTES: Final = 8
_TIERED_LEVEL: Final = 7
"""Above this level, a tier follows."""


class _Bits:
    """Reads numbers, the most significant bit first. Raises IndexError at the end of the data."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def read(self, count: int = 1) -> int:
        """Return a number of `count` bits."""
        value = 0
        for _ in range(count):
            byte = self._data[self._position >> 3]
            value = value << 1 | byte >> (7 - self._position % 8) & 1
            self._position += 1
        return value

    def skip_variable(self) -> None:
        """Skip a number of variable length (`uvlc`)."""
        zeros = 0
        while not self.read():
            zeros += 1
        self.read(zeros if zeros < 32 else 0)


def read_colour(stream: bytes) -> tuple[int, int] | None:
    """Return the codes of primaries and transfer (ITU-T H.273) in the sequence header.

    None if the first units of the stream are no sequence header, or if it has no description.
    """
    try:
        header = _find_sequence_header(stream)
        return None if header is None else _read_sequence_header(_Bits(header))
    except IndexError:
        return None


def _find_sequence_header(stream: bytes) -> bytes | None:
    """Return the content of the first sequence header. Raises IndexError."""
    position = 0
    for _ in range(_MAX_UNITS):
        head = stream[position]
        position += 2 if head & 0x04 else 1
        length = len(stream) - position
        if head & 0x02:
            length, position = _length(stream, position)
        if head >> 3 & 0x0F == _SEQUENCE_HEADER:
            return stream[position : position + length]
        position += length
    return None


def _length(stream: bytes, position: int) -> tuple[int, int]:
    """Return the length of a unit (`leb128`), and the position behind it. Raises IndexError."""
    length = 0
    for number in range(_MAX_LENGTH_BYTES):
        byte = stream[position + number]
        length |= (byte & 0x7F) << 7 * number
        if not byte & 0x80:
            return length, position + number + 1
    raise IndexError


def _read_sequence_header(bits: _Bits) -> tuple[int, int] | None:
    profile = bits.read(3)
    bits.read()  # still_picture
    is_reduced = bits.read()
    if is_reduced:
        bits.read(5)  # seq_level_idx
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    bits.read(width_bits + height_bits)
    if not is_reduced and bits.read():  # frame_id_numbers_present_flag
        bits.read(7)
    bits.read(3)  # superblocks, enable_filter_intra, enable_intra_edge_filter
    if not is_reduced:
        _skip_tools(bits)
    bits.read(3)  # enable_superres, enable_cdef, enable_restoration
    if bits.read() and profile == 2:  # high_bitdepth
        bits.read()  # twelve_bit
    if profile != 1:
        bits.read()  # mono_chrome
    return (bits.read(8), bits.read(8)) if bits.read() else None


def _skip_operating_points(bits: _Bits) -> None:
    delay_bits = 0
    if bits.read():  # timing_info_present_flag
        bits.read(64)
        if bits.read():  # equal_picture_interval
            bits.skip_variable()
        if bits.read():  # decoder_model_info_present_flag
            delay_bits = bits.read(5) + 1
            bits.read(42)
    has_delays = bits.read()
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > _TIERED_LEVEL:
            bits.read()
        if delay_bits and bits.read():
            bits.read(2 * delay_bits + 1)
        if has_delays and bits.read():
            bits.read(4)


def _skip_tools(bits: _Bits) -> None:
    bits.read(4)  # interintra and masked compound, warped motion, dual filter
    has_order = bits.read()
    if has_order:
        bits.read(2)  # enable_jnt_comp, enable_ref_frame_mvs
    # Each flag says that the next number is missing, because the encoder chooses it for each frame.
    if (bits.read() or bits.read()) and not bits.read():  # screen content tools, integer_mv
        bits.read()
    if has_order:
        bits.read(3)
