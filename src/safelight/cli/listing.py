"""``safelight ls``: what photos there are, for people, for programs, and for pipes."""

import json
import sys
from collections.abc import Iterable, Iterator

from safelight.cli.client import Client, Photo
from safelight.cli.client_settings import ClientSettings
from safelight.cli.terminal import plain, say

_KEYS = ("id", "created_at", "content_type", "width", "height", "size", "filename", "title")


def list_photos(settings: ClientSettings, *, order: str, limit: int | None, as_json: bool) -> None:
    """List the photos, newest first; `limit` of them at the most."""
    with Client(settings) as client:
        pages = client.pages(order=order, limit=limit)
        photos = (photo for page in pages for photo in page)
        if as_json:
            _say_array(photos)
        elif sys.stdout is not None and sys.stdout.isatty():
            _draw_table(photos)
        else:
            for photo in photos:
                say("\t".join(plain(photo.get(key, "")) for key in _KEYS))


def _say_array(photos: Iterable[Photo]) -> None:
    """Write one array, photo by photo; if that breaks off, it has no end and nobody takes it."""
    before = "["
    for photo in photos:
        say(before + json.dumps(photo))  # non-ASCII as escapes, so no terminal obeys any of it
        before = ","
    say("[]" if before == "[" else "]")


def _draw_table(photos: Iterable[Photo]) -> None:
    from rich import box  # noqa: PLC0415  takes long to import
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("ID", justify="right", no_wrap=True)
    table.add_column("Title", ratio=1, overflow="ellipsis", no_wrap=True)
    for heading in ("Pixels", "Size", "Added"):
        table.add_column(heading, justify="right", no_wrap=True)
    for photo in photos:
        table.add_row(*(Text(cell) for cell in _cells(photo)))
    Console().print(table)


def _cells(photo: Photo) -> Iterator[str]:
    yield str(photo["id"])
    yield plain(photo.get("title") or photo.get("filename", ""))
    yield plain(f"{photo.get('width', '?')} x {photo.get('height', '?')}")
    yield _size(photo.get("size"))
    yield plain(photo.get("created_at", ""))[:16].replace("T", " ")


def _size(size: object) -> str:
    """Write a number of bytes for people."""
    if not isinstance(size, int):
        return ""
    if size < 1_000_000:  # noqa: PLR2004  a million is a million
        return f"{size / 1_000:.0f} kB"
    return f"{size / 1_000_000:.1f} MB"
