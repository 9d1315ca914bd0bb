"""``safelight download``: save originals as ZIP archives."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from safelight.cli.by_id import check_ids
from safelight.cli.options import option, usage_error
from safelight.client.settings import client_settings
from safelight.errors import NotFound, OperatorError
from safelight.terminal import print_note, print_result

if TYPE_CHECKING:
    from safelight.client.api import Client

_MAX_PHOTOS: Final = 10_000
"""The server's limit for one archive."""


def download(
    ids: Annotated[list[str] | None, Parameter(name="ID", help="The photos' numbers.")] = None,
    /,
    *,
    all_: Annotated[
        bool, Parameter(name="--all", help="Download all photos.", show_default=False)
    ] = False,
    to: Annotated[
        Path | None, option("The archive's file. The default is photos-DATE.zip.")
    ] = None,
) -> int:
    """Save the originals of photos as a ZIP archive.

    A broken connection is resumed, also while the server starts again. More than
    10,000 photos become several archives, with numbers in their names. No existing
    file is replaced.

    Example: safelight download --all --to everything.zip
    """
    from safelight.client.api import Client

    if bool(ids) == all_:
        raise usage_error("Give the numbers of photos, or --all.")
    check_ids(ids or ())
    path = Path(f"photos-{time.strftime('%Y-%m-%d')}.zip") if to is None else to
    if not path.name or path.is_dir():
        example = path / "photos.zip"
        raise usage_error(f"{path} is a folder: give the name of a file, such as {example}.")
    with Client(client_settings()) as client:
        wanted = list(map(int, ids)) if ids else list(_all_ids(client))
        if not wanted:
            raise OperatorError("There are no photos to download.")
        missing = 0
        for number, start in enumerate(range(0, len(wanted), _MAX_PHOTOS), 1):
            named = path if number == 1 else path.with_stem(f"{path.stem}-{number}")
            missing += _save(client, wanted[start : start + _MAX_PHOTOS], named)
    return 1 if missing else 0


def _all_ids(client: "Client") -> Iterator[int]:
    for page in client.pages(order="added", limit=None):
        yield from (photo["id"] for photo in page)


def _save(client: "Client", ids: Sequence[int], path: Path) -> int:
    """Save an archive, and return the number of photos that don't exist."""
    from safelight.client.progress import show_download_progress

    try:
        created = client.create_download(ids)
    except NotFound as error:
        raise OperatorError("There are no such photos: see 'safelight ls'.") from error
    with show_download_progress(path.name, created.size) as advance:
        client.save_download(created, path, advance)
    for id_ in created.missing:
        print_note(f"There is no photo {id_}.")
    photos = "1 photo" if created.photos == 1 else f"{created.photos} photos"
    print_result(f"saved  {photos}  {path}")
    return len(created.missing)
