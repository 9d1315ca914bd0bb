"""What is said at the terminal: results on stdout, all else on stderr, nothing raw from elsewhere.

A title or a file name may hold anything, terminal escapes too (CWE-150), so no text of another's
is written before `plain` has seen it.
"""

import os
import re
import sys

from safelight.errors import OperatorError

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters, of which escapes are made
    "\u2028\u2029"  # separators of lines
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # changes of direction (CVE-2021-42574)
    "\ud800-\udfff]"  # halves of characters, from file names that aren't UTF-8
)


def plain(text: object) -> str:
    """Give the text on one line, with what a terminal might obey replaced by U+FFFD."""
    return _UNSAFE.sub("\ufffd", str(text))


def say(text: str) -> None:
    """Write a line of the result to stdout. Raises OperatorError if it can't be written."""
    try:
        print(text)  # noqa: T201  the command line's own voice
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OperatorError(f"The result can't be written: {error.strerror}.") from error


def complain(text: str) -> None:
    """Write a line to stderr."""
    print(f"safelight: {plain(text)}", file=sys.stderr)  # noqa: T201  the command line's own voice


def prepare() -> None:
    """Let a terminal that lacks a character show another, and a pipe have each line at once."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace", line_buffering=True)


def leave_pipe() -> None:
    """Forget what is still to be written, since nobody reads it; ``ls | head`` is no failure."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def is_watched() -> bool:
    """Whether a person sees stderr."""
    return sys.stderr is not None and sys.stderr.isatty()
