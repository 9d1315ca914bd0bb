"""QR codes for terminals, two modules to a character."""

import io

import segno

_BORDER = 2
"""Half of the quiet zone of ISO/IEC 18004, so that codes of links fit in 80 columns."""


def qr_lines(text: str) -> list[str]:
    """Return the lines of a QR code. Light modules are drawn, so show it light on dark."""
    drawn = io.StringIO()
    code = segno.make_qr(text, error="l", boost_error=False)
    code.terminal(drawn, border=_BORDER, compact=True)
    return drawn.getvalue().splitlines()
