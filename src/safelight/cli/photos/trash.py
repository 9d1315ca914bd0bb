"""``safelight trash``: list and restore deleted photos, or delete them for good."""

import sys
from typing import Annotated, Final

from cyclopts import App, Parameter

from safelight.cli.by_id import check_ids, run_for_ids
from safelight.cli.options import option
from safelight.cli.photos.photos import print_array, print_table
from safelight.client.settings import client_settings
from safelight.terminal import confirm, print_note, print_result, sanitize

app = App(name="trash")

_COLUMNS: Final = ("id", "trashed_at", "deletes_at", "content_type", "size", "filename", "title")


def _at_least_one(_kind: object, value: int | None) -> None:
    if value is not None and value < 1:
        raise ValueError("It must be 1 or more.")


@app.default
def list_(
    *,
    limit: Annotated[
        int | None, Parameter(help="Maximum number of photos.", validator=_at_least_one)
    ] = None,
    json: Annotated[bool, option("Print the API's JSON array, with all pages.")] = False,
) -> None:
    """List the photos in the trash, the last deleted first.

    Prints a table on a terminal. In a pipe, prints a line per photo, with tabs
    between id, time of deletion, when it is deleted for good, content type,
    bytes, file name, title.

    Example: safelight trash
    """
    from safelight.client.api import Client

    with Client(client_settings()) as client:
        pages = client.pages(order="added", limit=limit, trash=True)
        photos = (photo for page in pages for photo in page)
        if json:
            print_array(photos)
        elif sys.stdout is not None and sys.stdout.isatty():
            print_table(photos, deleted=True)
        else:
            for photo in photos:
                print_result("\t".join(sanitize(photo.get(key, "")) for key in _COLUMNS))


@app.command(usage="Usage: safelight trash restore ID…")
def restore(ids: Annotated[list[str], Parameter(name="ID", help="The photos' numbers.")], /) -> int:
    """Restore photos from the trash, with new links.

    Example: safelight trash restore 1
    """
    from safelight.client.api import Client

    check_ids(ids)
    with Client(client_settings()) as client:
        return run_for_ids(ids, client.restore, noun="trashed photo", done="restored")


@app.command
def empty(*, yes: Annotated[bool, option("Delete without asking.")] = False) -> int:
    """Delete all photos in the trash for good.

    Example: safelight trash empty --yes
    """
    from safelight.client.api import Client

    if not yes and not confirm("Delete all photos in the trash for good? [y/N] "):
        print_note("Nothing was deleted.")
        return 1
    with Client(client_settings()) as client:
        print_result(f"deleted  {client.empty_trash()}")
    return 0
