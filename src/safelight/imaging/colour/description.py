"""What the pixels of an image mean: primaries, a transfer function, and names for both.

The codes are those of ITU-T H.273 (CICP), in AVIF and HEIC (`nclx`) and in PNG (`cICP`). Where
decoders differ, they mean what they mean in Chromium (docs/decisions/0018-colour.md).
"""

import math
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from safelight.imaging.colour.matrix import conversion_matrix

_TOLERANCE: Final = 0.001
"""The rounding errors of chromaticities."""
_DISPLAY_GAMMA, _NEUTRAL = 2.2, 0.05
DEFAULT_PEAK: Final = 1_000.0
"""Candelas per square metre of the brightest pixels, unless the file says more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Primaries:
    """The chromaticities (x, y) of three colours and of white, in CIE 1931."""

    red: tuple[float, float]
    green: tuple[float, float]
    blue: tuple[float, float]
    white: tuple[float, float]

    def is_close_to(self, other: "Primaries") -> bool:
        """Whether both are the same, but for rounding."""
        pairs = zip(self.points, other.points, strict=True)
        return all(math.dist(one, two) < _TOLERANCE for one, two in pairs)

    @property
    def points(self) -> tuple[tuple[float, float], ...]:
        """All four points, white last."""
        return self.red, self.green, self.blue, self.white


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A transfer function: light = (scale x + offset) ^ gamma, or slope x below `limit`.

    Both light and x are 0 to 1.
    """

    gamma: float
    scale: float = 1.0
    offset: float = 0.0
    slope: float = 0.0
    limit: float = 0.0


class HighRange(Enum):
    """A transfer function of more than diffuse white (ITU-R BT.2100)."""

    PQ = auto()
    HLG = auto()


Transfer = Curve | HighRange

_D65: Final = (0.3127, 0.329)
_C: Final = (0.31, 0.316)
BT709: Final = Primaries(red=(0.64, 0.33), green=(0.3, 0.6), blue=(0.15, 0.06), white=_D65)
BT2020: Final = Primaries(red=(0.708, 0.292), green=(0.17, 0.797), blue=(0.131, 0.046), white=_D65)
DISPLAY_P3: Final = Primaries(red=(0.68, 0.32), green=(0.265, 0.69), blue=(0.15, 0.06), white=_D65)
ADOBE_RGB: Final = Primaries(red=(0.64, 0.33), green=(0.21, 0.71), blue=(0.15, 0.06), white=_D65)
_BT601: Final = Primaries(red=(0.63, 0.34), green=(0.31, 0.595), blue=(0.155, 0.07), white=_D65)
_PRIMARIES: Final[dict[int, tuple[str, Primaries]]] = {
    1: ("BT.709", BT709),
    4: (
        "BT.470 M",
        Primaries(red=(0.67, 0.33), green=(0.21, 0.71), blue=(0.14, 0.08), white=_C),
    ),
    5: (
        "BT.601 625",
        Primaries(red=(0.64, 0.33), green=(0.29, 0.6), blue=(0.15, 0.06), white=_D65),
    ),
    6: ("BT.601 525", _BT601),
    7: ("SMPTE 240M", _BT601),
    8: (
        "Film",
        Primaries(red=(0.681, 0.319), green=(0.243, 0.692), blue=(0.145, 0.049), white=_C),
    ),
    9: ("BT.2020", BT2020),
    10: ("XYZ", Primaries(red=(1, 0), green=(0, 1), blue=(0, 0), white=(1 / 3, 1 / 3))),
    11: (
        "DCI-P3",
        Primaries(red=(0.68, 0.32), green=(0.265, 0.69), blue=(0.15, 0.06), white=(0.314, 0.351)),
    ),
    12: ("Display P3", DISPLAY_P3),
    22: (
        "EBU 3213",
        Primaries(red=(0.63, 0.34), green=(0.295, 0.605), blue=(0.155, 0.077), white=_D65),
    ),
}

SRGB_CURVE: Final = Curve(
    gamma=2.4, scale=1 / 1.055, offset=0.055 / 1.055, slope=1 / 12.92, limit=0.04045
)
_TRANSFERS: Final[dict[int, tuple[str, Transfer]]] = {
    4: ("gamma 2.2", Curve(gamma=2.2)),
    5: ("gamma 2.8", Curve(gamma=2.8)),
    7: (
        "SMPTE 240M",
        Curve(gamma=1 / 0.45, scale=1 / 1.1115, offset=0.1115 / 1.1115, slope=0.25, limit=0.0912),
    ),
    8: ("linear", Curve(gamma=1.0)),
    13: ("", SRGB_CURVE),
    16: ("PQ", HighRange.PQ),
    17: ("SMPTE 428", Curve(gamma=2.6, scale=(52.37 / 48) ** (1 / 2.6))),
    18: ("HLG", HighRange.HLG),
}
_SRGB: Final = (1, 13)
_CAMERA_CURVES: Final = (1, 6, 11, 14, 15)
"""The curve of BT.709's cameras, under several names. Displays don't invert it: in a PNG, it stands
for the curve of displays (ITU-R BT.1886), in a video for that of sRGB."""
_STILL_TRANSFERS: Final = _TRANSFERS | dict.fromkeys(
    _CAMERA_CURVES, ("gamma 2.4", Curve(gamma=2.4))
)

_NAMED: Final = (
    ("BT.709", BT709),
    ("Adobe RGB", ADOBE_RGB),
    ("Display P3", DISPLAY_P3),
    ("BT.2020", BT2020),
)
_NAMES: Final = {
    ("BT.709", ""): "sRGB",
    ("BT.709", "linear"): "Linear sRGB",
    ("BT.709", "gamma 1"): "Linear sRGB",
    ("Adobe RGB", "gamma 2.2"): "Adobe RGB",
    ("BT.2020", "PQ"): "BT.2100 PQ",
    ("BT.2020", "HLG"): "BT.2100 HLG",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourDescription:
    """The meaning of an image's pixels, in place of a profile.

    `peak` is the luminance of the brightest pixels in candelas per square metre, for a `HighRange`.
    """

    name: str
    primaries: Primaries
    transfer: Transfer
    peak: float = DEFAULT_PEAK

    @property
    def is_srgb(self) -> bool:
        """Whether the pixels are sRGB already."""
        return self.transfer == SRGB_CURVE and self.primaries.is_close_to(BT709)

    @property
    def has_high_range(self) -> bool:
        """Whether pixels may be brighter than diffuse white."""
        return isinstance(self.transfer, HighRange)

    def with_peak(self, peak: float) -> "ColourDescription":
        """Return the same with another peak; 0 is an unknown one."""
        return replace(self, peak=peak or DEFAULT_PEAK)


def from_still_codes(primaries: int, transfer: int) -> ColourDescription | None:
    """Return what a `cICP` chunk of a PNG means; None if a code is reserved or unknown."""
    curve = _STILL_TRANSFERS.get(transfer)
    if primaries not in _PRIMARIES or curve is None:
        return None
    return _describe(*_PRIMARIES[primaries], *curve)


def from_video_codes(primaries: int, transfer: int) -> ColourDescription:
    """Return what `nclx` codes mean. Unknown and unspecified ones are those of sRGB."""
    known = _PRIMARIES.get(primaries, _PRIMARIES[_SRGB[0]])
    return _describe(*known, *_TRANSFERS.get(transfer, _TRANSFERS[_SRGB[1]]))


def from_gamma(gamma: float, primaries: Primaries | None) -> ColourDescription | None:
    """Return what `gAMA` and `cHRM` chunks of a PNG mean: light = x ^ (1 / gamma).

    None if that is nothing: for a gamma of 0, for primaries that span no colours, or for the gamma
    alone that displays have anyhow.
    """
    if gamma <= 0:
        return None
    if primaries is None:
        if abs(gamma * _DISPLAY_GAMMA - 1) < _NEUTRAL:
            return None
        primaries = BT709
    if conversion_matrix(primaries.points, BT709.points) is None:
        return None
    name = next((name for name, one in _NAMED if primaries.is_close_to(one)), "RGB")
    return _describe(name, primaries, f"gamma {1 / gamma:.3g}", Curve(gamma=1 / gamma))


def _describe(
    name: str, primaries: Primaries, curve_name: str, transfer: Transfer
) -> ColourDescription:
    return ColourDescription(
        name=_NAMES.get((name, curve_name), f"{name} {curve_name}".strip()),
        primaries=primaries,
        transfer=transfer,
    )
