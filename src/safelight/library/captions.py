"""Validate titles and descriptions, sanitize file names, and name downloads."""

import re

from safelight.errors import InvalidRequest
from safelight.imaging.formats import Format
from safelight.models import Caption

MAX_TITLE = 200
MAX_DESCRIPTION = 5_000
MAX_FILENAME = 1_024
MAX_QUERY = 200

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_CONTROL = re.compile("[\0-\x1f\x7f-\x9f\ud800-\udfff]")
_PATH = re.compile(r"[/\\]")
_MISLEADING = re.compile(
    "[\ufffd\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
"""What a name doesn't show, or shows in another order (bidirectional controls), and what replaced
its control characters."""
_SEPARATORS = re.compile(r"""[/\\:*?"<>|]""")
"""In a path on one system or another."""
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,10}\Z")
_DEVICE = re.compile("(con|prn|aux|nul|(com|lpt)[0-9\u00b9\u00b2\u00b3])(\\.|\\Z)", re.IGNORECASE)
"""What Windows opens as a device, whatever its extension."""
_MAX_STEM = 200
"""Bytes. File systems allow names of 255."""


def validate(caption: Caption) -> Caption:
    """Validate the title and the description, and sanitize the file name.

    Raises InvalidRequest for a title or description that is too long or can't be stored.
    """
    return Caption(
        title=validate_text("title", caption.title, MAX_TITLE),
        description=validate_text("description", caption.description, MAX_DESCRIPTION),
        filename=sanitize_filename(caption.filename),
    )


def validate_text(name: str, text: str, limit: int) -> str:
    """Return the text unchanged, or raise InvalidRequest; `limit` is in characters."""
    if len(text) > limit:
        raise InvalidRequest(
            f"The {name} is too long: {len(text)} characters; the limit is {limit}."
        )
    if _UNSTORABLE.search(text):
        raise InvalidRequest(f"The {name} contains a NUL character or half a character.")
    return text


def sanitize_filename(filename: str) -> str:
    """Cut a path to its last part, and replace control characters and surrogates by U+FFFD.

    Some clients send the path of the file on their machine (RFC 7578, 4.2). Everything else is
    kept: a file name is never part of a key or a path, and pages escape it.
    """
    name = _PATH.split(filename.rstrip("/\\"))[-1]  # empty if that names a folder
    return "" if name in {".", ".."} else _CONTROL.sub("\ufffd", name[:MAX_FILENAME])


def download_filename(filename: str, format_: Format, *, default: str) -> str:
    """Return the name to save a photo under: its own, with the extension of its format.

    A name like `photo.html` or `photo\u202egpj.exe` would make the saved photo open in a browser or
    run. `default` is the name, without extension, of a photo whose name has nothing to keep.
    """
    name = _MISLEADING.sub("", sanitize_filename(filename))
    stem = _SEPARATORS.sub("_", name).strip(" .")
    correct = (format_.extension, *format_.other_extensions)
    extension = format_.extension
    if (found := _EXTENSION.search(stem)) and found[0].lower() not in correct:
        stem = stem[: found.start()].rstrip(" .")
        found = _EXTENSION.search(stem)
    if found and found[0].lower() in correct:
        stem, extension = stem[: found.start()].rstrip(" ."), found[0]
    stem = stem.encode()[:_MAX_STEM].decode(errors="ignore").rstrip(" .")
    if _DEVICE.match(stem):
        stem = f"_{stem}"
    return f"{stem or default}{extension}"
