"""The matrix from one set of primaries to another, in linear light (SMPTE RP 177).

White becomes white: colours are adapted to the other white by the Bradford transform (ICC.1:2022,
annex E).
"""

from collections.abc import Sequence
from typing import Final

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]
Point = tuple[float, float]
"""A chromaticity: x and y in CIE 1931."""

_BRADFORD: Final[Matrix] = (
    (0.8951, 0.2664, -0.1614),
    (-0.7502, 1.7135, 0.0367),
    (0.0389, -0.0685, 1.0296),
)
_MAX_COEFFICIENT: Final = 100.0
"""Real primaries have coefficients up to ten."""


def conversion_matrix(source: Sequence[Point], target: Sequence[Point]) -> Matrix | None:
    """Return the matrix between colours of two spaces: red, green, blue and white each.

    None if there is none, because the points of one span no triangle, or next to none.
    """
    try:
        adapted = multiply(_adaptation(source[3], target[3]), _to_xyz(source))
        matrix = multiply(_invert(_to_xyz(target)), adapted)
    except (ZeroDivisionError, OverflowError):
        return None
    is_sane = all(abs(number) <= _MAX_COEFFICIENT for row in matrix for number in row)
    return matrix if is_sane else None


def multiply(one: Matrix, other: Matrix) -> Matrix:
    """Return the product of two matrices."""
    first, second, third = (_apply(one, column) for column in zip(*other, strict=True))
    return _columns(first, second, third)


def _to_xyz(points: Sequence[Point]) -> Matrix:
    """Return the matrix from linear light of these primaries to XYZ. Raises ZeroDivisionError."""
    red, green, blue = ((x, y, 1 - x - y) for x, y in points[:3])
    gains = _apply(_invert(_columns(red, green, blue)), _white(points[3]))
    scaled = [
        (gain * x, gain * y, gain * z)
        for gain, (x, y, z) in zip(gains, (red, green, blue), strict=True)
    ]
    return _columns(*scaled)


def _white(point: Point) -> Vector:
    x, y = point
    return x / y, 1.0, (1 - x - y) / y


def _adaptation(source: Point, target: Point) -> Matrix:
    """Return the matrix that turns the source's white into the target's."""
    cones = zip(_apply(_BRADFORD, _white(source)), _apply(_BRADFORD, _white(target)), strict=True)
    red, green, blue = (after / before for before, after in cones)
    scale = ((red, 0.0, 0.0), (0.0, green, 0.0), (0.0, 0.0, blue))
    return multiply(_invert(_BRADFORD), multiply(scale, _BRADFORD))


def _apply(matrix: Matrix, vector: Sequence[float]) -> Vector:
    first, second, third = (sum(map(float.__mul__, row, vector)) for row in matrix)
    return first, second, third


def _columns(first: Vector, second: Vector, third: Vector) -> Matrix:
    one, two, three = zip(first, second, third, strict=True)
    return one, two, three


def _invert(matrix: Matrix) -> Matrix:
    """Return the inverse, by Cramer's rule. Raises ZeroDivisionError."""
    (a, b, c), (d, e, f), (g, h, i) = matrix
    rows = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    determinant = a * rows[0][0] + b * rows[1][0] + c * rows[2][0]
    first, second, third = ((x / determinant, y / determinant, z / determinant) for x, y, z in rows)
    return first, second, third
