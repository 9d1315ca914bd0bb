"""``safelight render``: has a running server make what its photos lack."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from safelight.cli.client import Client
from safelight.cli.client_settings import ClientSettings
from safelight.cli.progress import on_stderr
from safelight.cli.terminal import complain, is_watched, say

_LOOKS_AGAIN: Final = 0.5
"""Seconds between two looks at how far it is."""


def render_missing(settings: ClientSettings, *, wait: bool, as_json: bool) -> int:
    """Enqueue what photos lack, and show how far it is; gives the exit code."""
    with Client(settings) as client:
        failed_before = client.renderings().failed
        photos = client.render_missing()
        failed = max(_seen_through(client, photos) - failed_before, 0) if wait and photos else 0
    if as_json:
        say(json.dumps({"photos": photos, "failed": failed}))
    elif not photos:
        say("No photo lacks a rendition.")
    elif wait:
        say(f"{photos - failed} of {photos} photos have all their renditions.")
    else:
        say(f"The server makes the renditions of {photos} photos.")
    if failed:
        complain("Some failed: 'safelight jobs' shows them, and the server's log says why.")
    return 1 if failed else 0


def _seen_through(client: Client, photos: int) -> int:
    """Wait until all is done; gives how many jobs have failed altogether."""
    with _bar(photos) as bar:
        while True:
            found = client.renderings()
            bar.show(min(found.left, photos))
            if not found.left:
                return found.failed
            time.sleep(_LOOKS_AGAIN)


class _Bar:
    """How far it is; this one shows nothing."""

    def show(self, left: int) -> None:
        """Show how many photos are left."""


@contextmanager
def _bar(photos: int) -> Iterator[_Bar]:
    if not is_watched():
        yield _Bar()
        return
    from rich.progress import (  # noqa: PLC0415  takes long to import
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with on_stderr(*columns) as bar:
        task = bar.add_task("photos", total=photos)

        class Drawn(_Bar):
            def show(self, left: int) -> None:
                bar.update(task, completed=photos - left)

        yield Drawn()
