"""``safelight render``: create the renditions that photos lack."""

import time
from typing import TYPE_CHECKING, Annotated, Final

from safelight.cli.options import option
from safelight.client.settings import client_settings
from safelight.errors import OperatorError
from safelight.terminal import print_json, print_note, print_result

if TYPE_CHECKING:
    from safelight.client.api import Client

_POLL_SECONDS: Final = 0.5


def render(
    *,
    missing: Annotated[bool, option("Create missing renditions (required).")] = False,
    no_wait: Annotated[bool, option("Return at once, without waiting for the server.")] = False,
    json: Annotated[bool, option("Print the counts as a JSON object.")] = False,
) -> int:
    """Create missing renditions on a running server.

    Use it after changing SAFELIGHT_RENDITIONS__… settings. The server works in
    the background: Ctrl-C stops the progress display; the server continues.

    Example: safelight render --missing
    """
    from safelight.client.api import Client

    if not missing:
        raise OperatorError("Add --missing: only missing renditions can be created.")
    wait = not no_wait
    with Client(client_settings()) as client:
        failed_before = client.renderings().failed
        photos = client.render_missing()
        failed = max(_wait(client, photos) - failed_before, 0) if wait and photos else 0
    if json:
        print_json({"photos": photos, "failed": failed})
    elif not photos:
        print_result("No photo lacks a rendition.")
    elif wait:
        print_result(f"{photos - failed} of {photos} photos have all their renditions.")
    else:
        print_result(f"The server is creating renditions of {photos} photos.")
    if failed:
        print_note("Some jobs failed: see 'safelight jobs' and the server's log.")
    return 1 if failed else 0


def _wait(client: "Client", photos: int) -> int:
    """Wait until no job is left, and return the number of failed jobs on the server."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    from safelight.client.progress import make_progress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with make_progress(*columns) as progress:
        task = progress.add_task("photos", total=photos)
        while True:
            found = client.renderings()
            progress.update(task, completed=photos - min(found.left, photos))
            if not found.left:
                return found.failed
            time.sleep(_POLL_SECONDS)
