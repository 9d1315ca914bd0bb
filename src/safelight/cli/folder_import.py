"""``safelight import``: whole folders, and a summary of what became of them."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from safelight.cli.client_settings import ClientSettings
from safelight.cli.folders import Found, found
from safelight.cli.outcome import Outcome, failed
from safelight.cli.picture import looked_at
from safelight.cli.rehearsal import rehearsed
from safelight.cli.report import Report
from safelight.cli.upload import under_way
from safelight.errors import Invalid, UnsupportedType

_PHOTOS: Final = frozenset({".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif", ".heic", ".heif"})
"""How files are called that somebody takes for photos."""

_LINK = "It is a link to a folder, and isn't followed."


def import_folders(
    settings: ClientSettings, places: Sequence[Path], *, jobs: int, dry_run: bool, as_json: bool
) -> int:
    """Send all photos in folders, or only tell what would be sent; gives the exit code."""
    seen = found(places)
    pictures, refused = looked_at(seen.files)
    report = Report(hidden=seen.hidden, as_json=as_json)
    report.take(_not_sent(seen, refused))
    way = (
        nullcontext(rehearsed(settings, pictures))
        if dry_run
        else under_way(settings, pictures, jobs=jobs)
    )
    try:
        with way as coming:
            report.take(outcome for _, outcome in coming)
    except KeyboardInterrupt:
        report.tell_stopped(len(pictures))
        raise
    report.tell()
    return 0 if report.is_done else 1


def _not_sent(seen: Found, refused: Sequence[tuple[int, OSError | Invalid]]) -> Iterator[Outcome]:
    """Tell of what isn't even tried. What nobody takes for a photo is no failure."""
    for folder in seen.linked_folders:
        yield Outcome(file=str(folder), outcome="skipped", code="linked_folder", reason=_LINK)
    for folder, trouble in seen.unreadable:
        yield failed(folder, trouble)
    for place, error in refused:
        file = seen.files[place]
        if isinstance(error, UnsupportedType) and file.suffix.lower() not in _PHOTOS:
            why = str(error)
            yield Outcome(file=str(file), outcome="skipped", code=error.code, reason=why)
        else:
            yield failed(file, error)
