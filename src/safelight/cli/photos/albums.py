"""``safelight album``: list, create, fill, rename and delete albums."""

from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import App, Parameter

from safelight.cli.by_id import check_ids, run_for_ids
from safelight.cli.options import option
from safelight.client.settings import client_settings
from safelight.errors import NotFound, OperatorError
from safelight.terminal import confirm, print_note, print_result, sanitize

if TYPE_CHECKING:
    from collections.abc import Callable

    from safelight.client.responses import BulkOutcome

_BATCH: Final = 500

AlbumID = Annotated[str, Parameter(name="ALBUM", help="The album's number: see `album ls`.")]
PhotoIDs = Annotated[list[str], Parameter(name="ID", help="The photos' numbers.")]
Title = Annotated[str, Parameter(name="TITLE", help="The album's title.")]

app = App(name="album", help="Put photos into albums. A photo may be in any number of them.")


@app.command
def ls() -> None:
    """List albums, newest first: number, photos, title, with tabs between.

    Example: safelight album ls
    """
    from safelight.client.api import Client

    with Client(client_settings()) as client:
        for album in client.albums():
            print_result("\t".join(sanitize(album[key]) for key in ("id", "photos", "title")))


@app.command(usage="Usage: safelight album create TITLE [ID…]")
def create(
    title: Title,
    ids: Annotated[tuple[str, ...], Parameter(name="ID", help="The photos' numbers.")] = (),
    /,
) -> int:
    """Create an album, and print its number.

    Example: safelight album create "Summer 2019" 3 1 2
    """
    from safelight.client.api import Client

    numbers = _numbers(ids)
    with Client(client_settings()) as client:
        album = str(client.create_album(title, [])["id"])
        print_result(f"created  {album}")
        if not numbers:
            return 0
        return _for_each_batch(numbers, lambda batch: client.add_to_album(album, batch), album)


@app.command(usage="Usage: safelight album add ALBUM ID…")
def add(album: AlbumID, ids: PhotoIDs, /) -> int:
    """Add photos at the end of an album.

    Example: safelight album add 1 4 5
    """
    from safelight.client.api import Client

    numbers = _numbers(ids)
    with Client(client_settings()) as client:
        return _for_each_batch(numbers, lambda batch: client.add_to_album(album, batch), album)


@app.command(usage="Usage: safelight album remove ALBUM ID…")
def remove(album: AlbumID, ids: PhotoIDs, /) -> int:
    """Remove photos from an album. The photos stay.

    Example: safelight album remove 1 4
    """
    from safelight.client.api import Client

    numbers = _numbers(ids)
    with Client(client_settings()) as client:
        return _for_each_batch(numbers, lambda batch: client.remove_from_album(album, batch), album)


@app.command(usage="Usage: safelight album rename ALBUM TITLE")
def rename(album: AlbumID, title: Title, /) -> None:
    """Change an album's title.

    Example: safelight album rename 1 "Summer at the sea"
    """
    from safelight.client.api import Client

    with Client(client_settings()) as client:
        try:
            client.rename_album(album, title)
        except NotFound as error:
            raise _unknown(album) from error


@app.command(usage="Usage: safelight album rm [OPTIONS] ALBUM…")
def rm(
    ids: Annotated[list[str], Parameter(name="ALBUM", help="The albums' numbers.")],
    /,
    *,
    yes: Annotated[bool, option("Delete without asking.")] = False,
) -> int:
    """Delete albums. Their photos stay.

    Example: safelight album rm --yes 1
    """
    from safelight.client.api import Client

    what = f"album {ids[0]}" if len(ids) == 1 else f"{len(ids)} albums ({', '.join(ids)})"
    if not yes and not confirm(f"Delete {what}? The photos stay. [y/N] "):
        print_note("Nothing was deleted.")
        return 1
    with Client(client_settings()) as client:
        return run_for_ids(ids, client.delete_album, noun="album", done="deleted")


def _numbers(ids: "list[str] | tuple[str, ...]") -> list[int]:
    check_ids(ids)
    return [int(id_) for id_ in ids]


def _for_each_batch(ids: list[int], send: "Callable[[list[int]], BulkOutcome]", album: str) -> int:
    """Send the ids in batches; return 1 if a photo doesn't exist. Raises OperatorError."""
    missing = 0
    for start in range(0, len(ids), _BATCH):
        try:
            outcome = send(ids[start : start + _BATCH])
        except NotFound as error:
            raise _unknown(album) from error
        for id_ in outcome.missing:
            print_note(f"There is no photo {id_}.")
        missing += len(outcome.missing)
    return 1 if missing else 0


def _unknown(album: str) -> OperatorError:
    return OperatorError(f"There is no album {sanitize(album)}: see 'safelight album ls'.")
