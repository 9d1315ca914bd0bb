"""``safelight ls``, ``url`` and ``rm``: list photos, print their links, delete them."""

import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import Parameter

from safelight.cli.by_id import check_ids, run_for_ids
from safelight.cli.options import PhotoID, option
from safelight.client.settings import client_settings
from safelight.errors import NotFound, OperatorError
from safelight.terminal import confirm, print_note, print_result, sanitize

if TYPE_CHECKING:
    from collections.abc import Iterable

    from safelight.client.api import Client, Photo

_COLUMNS: Final = (
    *("id", "created_at", "content_type", "width", "height", "size", "filename", "title"),
)
_QR_BLOCKS: Final = "█▀▄"


def _at_least_one(_kind: object, value: int | None) -> None:
    if value is not None and value < 1:
        raise ValueError("It must be 1 or more.")


def ls(
    *,
    order: Annotated[
        Literal["added", "taken"], Parameter(help="Sort by time of upload or of capture.")
    ] = "added",
    limit: Annotated[
        int | None, Parameter(help="Maximum number of photos.", validator=_at_least_one)
    ] = None,
    search: Annotated[
        str | None, option("Only photos with these words, or of this year or month.")
    ] = None,
    json: Annotated[bool, option("Print the API's JSON array, with all pages.")] = False,
) -> None:
    """List photos, newest first.

    A search finds words of titles, descriptions, file names and cameras, and dates
    like 2019, "May 2019" or 2019-05. The last word may be the beginning of one.
    Prints a table on a terminal. In a pipe, prints a line per photo, with tabs
    between id, upload time, content type, width, height, bytes, file name, title.

    Example: safelight ls --order taken --search "beach 2019"
    """
    from safelight.client.api import Client

    with Client(client_settings()) as client:
        pages = client.pages(order=order, limit=limit, search=search)
        photos = (photo for page in pages for photo in page)
        if json:
            print_array(photos)
        elif sys.stdout is not None and sys.stdout.isatty():
            print_table(photos, by_capture=order == "taken")
        else:
            for photo in photos:
                print_result("\t".join(sanitize(photo.get(key, "")) for key in _COLUMNS))


def print_array(photos: "Iterable[Photo]") -> None:
    """Print one JSON array, photo by photo. After an error it has no end, and is invalid JSON."""
    import json

    separator = "["
    for photo in photos:
        # json.dumps escapes all control and non-ASCII characters, so a terminal obeys none.
        print_result(separator + json.dumps(photo))
        separator = ","
    print_result("[]" if separator == "[" else "]")


def print_table(
    photos: "Iterable[Photo]", *, by_capture: bool = False, deleted: bool = False
) -> None:
    """Print photos as a table; with `deleted`, when they will be deleted for good."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("ID", justify="right", no_wrap=True)
    table.add_column("Title", ratio=1, overflow="ellipsis", no_wrap=True)
    for heading in (
        "Pixels",
        "Size",
        "Taken" if by_capture else "Deleted for good" if deleted else "Added",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for photo in photos:
        cells = (
            photo["id"],
            sanitize(photo.get("title") or photo.get("filename", "")),
            sanitize(f"{photo.get('width', '?')} x {photo.get('height', '?')}"),
            _format_size(photo.get("size")),
            _format_time(
                (by_capture and photo.get("taken_at"))
                or (deleted and photo.get("deletes_at"))
                or photo.get("created_at")
            ),
        )
        table.add_row(*(Text(str(cell)) for cell in cells))
    Console().print(table)


def _format_time(time: object) -> str:
    return sanitize(time or "")[:16].replace("T", " ")


def _format_size(size: object) -> str:
    if not isinstance(size, int):
        return ""
    return f"{size / 1e3:.0f} kB" if size < 1_000_000 else f"{size / 1e6:.1f} MB"


def url(
    id_: PhotoID,
    /,
    *,
    rendition: Annotated[str | None, option("Link to this rendition, or to `original`.")] = None,
    qr: Annotated[bool, option("Also draw the link as a QR code, on stderr.")] = False,
) -> None:
    """Print a link to a photo.

    Anyone with the link can see the photo until it expires. The default is the
    original, or the largest rendition if the original contains a location or some
    browsers don't show it correctly.

    Example: safelight url 1 --rendition original
    """
    from safelight.client.api import Client

    with Client(client_settings()) as client:
        try:
            photo = client.photo(id_)
        except NotFound as error:
            raise OperatorError(f"There is no photo {id_}: see 'safelight ls'.") from error
        link = _link(client, photo, rendition)
    print_result(sanitize(link))
    if link == photo["original_url"]:
        _warn_of_original(photo)
    if qr:
        _print_qr(link)


def _link(client: "Client", photo: "Photo", rendition: str | None) -> str:
    """Return the link to a rendition or the original; by default to what browsers show best.

    A rendition that is made on demand may have to be made first.
    """
    links: dict[str | None, str] = {None: photo["photo_url"], "original": photo["original_url"]}
    links |= {made["name"]: made["url"] for made in photo["renditions"]}
    if rendition is None or rendition in links:
        return links[rendition]
    try:
        return client.rendition_link(str(photo["id"]), rendition)
    except NotFound as error:
        raise OperatorError(f"Photo {photo['id']}: {error}") from error


def _warn_of_original(photo: "Photo") -> None:
    """Warn, on stderr, of what a link to the original reveals, and of browsers that can't show it.

    Servers of earlier versions don't say whether an original is displayable.
    """
    if photo.get("located"):
        print_note(
            "The original contains the place where it was taken, and anyone with the link can read"
            " it. Renditions contain no place."
        )
    if photo.get("displayable") is False:
        print_note("Some browsers don't show the original correctly. Renditions are for all.")


def _print_qr(text: str) -> None:
    """Draw a QR code on stderr. Raises OperatorError if the terminal can't show it."""
    from rich.console import Console
    from rich.text import Text

    from safelight.qr import qr_lines

    console, lines = Console(stderr=True, highlight=False), qr_lines(text)
    if console.is_terminal and console.width < len(lines[0]):
        raise OperatorError(
            f"The QR code needs {len(lines[0])} columns, and the terminal has {console.width}:"
            " make the window wider, or the font smaller."
        )
    try:
        _QR_BLOCKS.encode(sys.stderr.encoding)
    except UnicodeEncodeError as error:
        raise OperatorError("This terminal can't show a QR code: use one with UTF-8.") from error
    for line in lines:
        console.print(Text(line, style="white on black", no_wrap=True), soft_wrap=True)


def rm(
    ids: Annotated[list[str], Parameter(name="ID", help="The photos' numbers.")],
    /,
    *,
    yes: Annotated[bool, option("Delete without asking.")] = False,
    permanent: Annotated[bool, option("Delete for good, also photos in the trash.")] = False,
) -> int:
    """Delete photos. Their links stop working at once.

    They go to the trash, from where 'safelight trash restore' restores them.

    Example: safelight rm --yes 1
    """
    from safelight.client.api import Client

    what = f"photo {ids[0]}" if len(ids) == 1 else f"{len(ids)} photos ({', '.join(ids)})"
    how = " for good" if permanent else ""
    if not yes and not confirm(f"Delete {what}{how}, and all links to it? [y/N] "):
        print_note("Nothing was deleted.")
        return 1
    with Client(client_settings()) as client:
        delete = partial(client.delete, permanent=permanent)
        done = "trashed" if not permanent and client.has_trash() else "deleted"
        return run_for_ids(ids, delete, noun="photo", done=done)


def revoke_links(
    ids: Annotated[list[str], Parameter(name="ID", help="The photos' numbers.")], /
) -> int:
    """Make all links to photos stop working. The photos stay, and get new links.

    What a browser or a person has saved can't be called back.

    Example: safelight revoke-links 1
    """
    from safelight.client.api import Client

    check_ids(ids)
    with Client(client_settings()) as client:
        return run_for_ids(ids, client.revoke_links, noun="photo", done="revoked")
