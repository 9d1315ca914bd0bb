"""Terminal output: results on stdout, notes on stderr.

Titles and file names may contain terminal escapes (CWE-150), so text from outside the program goes
through `sanitize` before it is printed.
"""

import os
import re
import sys

from safelight.errors import OperatorError

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters, which begin terminal escapes
    "\u2028\u2029"  # line separators
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional controls (CVE-2021-42574)
    "\ud800-\udfff]"  # surrogates, from file names that aren't UTF-8
)


def sanitize(text: object) -> str:
    """Return the text on one line, with characters that control a terminal replaced by U+FFFD."""
    return _UNSAFE.sub("\ufffd", str(text))


def print_result(text: str) -> None:
    """Print a line on stdout. Raises OperatorError if it can't be written."""
    try:
        print(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OperatorError(f"Can't write the output: {error.strerror}.") from error


def print_json(value: object, *, indent: int | None = None) -> None:
    """Print a value as JSON, with all control and non-ASCII characters escaped."""
    import json

    print_result(json.dumps(value, indent=indent))


def print_note(text: str) -> None:
    """Print a line on stderr, sanitized."""
    print(f"safelight: {sanitize(text)}", file=sys.stderr)


def confirm(question: str) -> bool:
    """Ask on the terminal whether to go on. Raises OperatorError without a terminal."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise OperatorError("Can't ask for confirmation without a terminal: add --yes.")
    print(sanitize(question), end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def configure_streams() -> None:
    """Replace characters that a terminal lacks, and write each line to a pipe at once."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace", line_buffering=True)


def close_stdout() -> None:
    """Discard pending output after a broken pipe, so that ``ls | head`` ends without an error."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    os.close(devnull)


def is_interactive() -> bool:
    """Whether stderr is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()
