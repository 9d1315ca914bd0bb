"""QR codes (ISO/IEC 18004) in a terminal, two modules to a character."""

import sys

import segno
from rich.console import Console
from rich.text import Text

from safelight.errors import OperatorError

_BORDER = 2
"""Light modules around it: half of what the standard asks for, so that links fit 80 columns."""

_HALVES = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}
"""Characters by whether their upper and lower halves are drawn."""


def draw(text: str) -> None:
    """Draw the code of a text on stderr. Raises OperatorError if the terminal can't show it."""
    console = Console(stderr=True, highlight=False)
    lines = rows(text, drawn_is_dark=console.color_system is not None)
    if console.is_terminal and console.width < len(lines[0]):
        raise OperatorError(
            f"The QR code needs {len(lines[0])} columns, and the terminal has {console.width}:"
            " make it wider, or its letters smaller."
        )
    if not _can_draw():
        raise OperatorError("This terminal has no characters for a QR code: use one with UTF-8.")
    for line in lines:
        console.print(Text(line, style="black on white", no_wrap=True), soft_wrap=True)


def rows(text: str, *, drawn_is_dark: bool) -> list[str]:
    """Give the code's lines. Without colours what is drawn has to be what is light."""
    code = segno.make_qr(text, error="l", boost_error=False)
    matrix = [
        [bool(dark) is drawn_is_dark for dark in row] for row in code.matrix_iter(border=_BORDER)
    ]
    if len(matrix) % 2:
        matrix.append([False] * len(matrix[0]))
    pairs = zip(matrix[::2], matrix[1::2], strict=True)
    return ["".join(map(_HALVES.__getitem__, zip(*pair, strict=True))) for pair in pairs]


def _can_draw() -> bool:
    try:
        "".join(_HALVES.values()).encode(sys.stderr.encoding)
    except UnicodeEncodeError:
        return False
    return True
