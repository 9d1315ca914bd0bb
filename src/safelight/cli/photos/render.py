"""``safelight render`` and ``safelight reinspect``: work on stored photos, done by the server."""

import time
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from safelight.cli.options import option, usage_error
from safelight.client.settings import client_settings
from safelight.terminal import print_json, print_note, print_result

if TYPE_CHECKING:
    from safelight.client.api import Client

_POLL_SECONDS: Final = 0.5
_NO_WAIT: Final = option("Return at once, without waiting for the server.")
_JSON: Final = option("Print the counts as a JSON object.")
_RENDER: Final = "develop"
_REINSPECT: Final = "reinspect"


def render(
    *,
    missing: Annotated[bool, option("Create the missing renditions.")] = False,
    demanded: Annotated[
        bool, Parameter(name="--all", negative=(), help="Also create those made on demand.")
    ] = False,
    prune: Annotated[bool, option("Count the renditions that no preset names.")] = False,
    apply: Annotated[bool, option("With --prune: remove them. Links to them die.")] = False,
    no_wait: Annotated[bool, _NO_WAIT] = False,
    json: Annotated[bool, _JSON] = False,
) -> int:
    """Create missing renditions on a running server, or remove old ones.

    Use it after changing SAFELIGHT_RENDITIONS__… settings. The server works in
    the background: Ctrl-C stops the progress display; the server continues.
    --missing leaves out the presets that are made on demand, and --all doesn't.

    Example: safelight render --missing
    """
    from safelight.client.api import Client

    if missing + demanded + prune != 1:
        raise usage_error("Add --missing, --all or --prune.")
    if apply and not prune:
        raise usage_error("--apply is for --prune only.")
    with Client(client_settings()) as client:
        if prune:
            return _prune(client, apply=apply, json=json)
        failed_before = client.job_progress(_RENDER).failed
        photos = client.render_missing(demanded=demanded)
        failed = 0 if no_wait else _wait(client, _RENDER, photos, failed_before)
    if json:
        print_json({"photos": photos, "failed": failed})
    elif not photos:
        print_result("No photo lacks a rendition.")
    elif no_wait:
        print_result(f"The server is creating renditions of {photos} photos.")
    else:
        print_result(f"{photos - failed} of {photos} photos have all their renditions.")
    return _exit_code(failed)


def _prune(client: "Client", *, apply: bool, json: bool) -> int:
    counts = client.prune_renditions(apply=apply)
    photos, renditions = counts["photos"], counts["renditions"]
    if json:
        print_json(dict(counts))
    elif not renditions:
        print_result("No photo has a rendition that no preset names.")
    elif apply:
        print_result(f"Removed {renditions} renditions of {photos} photos.")
    else:
        print_result(
            f"{renditions} renditions of {photos} photos are named by no preset. Nothing was"
            " changed; --apply removes them."
        )
    if counts["skipped"]:
        print_note(
            f"{counts['skipped']} photos lack new renditions and keep the old ones: run"
            " 'safelight render --missing' first."
        )
    return 0


def reinspect(
    *,
    no_wait: Annotated[bool, _NO_WAIT] = False,
    json: Annotated[bool, _JSON] = False,
) -> int:
    """Inspect the stored originals that an earlier version inspected.

    Dates, locations, colours and sizes are found as for new photos, and photos
    are rendered again if their pixels change. Edited titles, descriptions and
    dates stay. The server works in the background, also after a restart.

    Example: safelight reinspect
    """
    from safelight.client.api import Client

    with Client(client_settings()) as client:
        failed_before = client.job_progress(_REINSPECT).failed
        photos = client.reinspect()
        failed = 0 if no_wait else _wait(client, _REINSPECT, photos, failed_before)
    if json:
        print_json({"photos": photos, "failed": failed})
    elif not photos:
        print_result("All photos are up to date.")
    elif no_wait:
        print_result(f"The server is inspecting {photos} photos.")
    else:
        print_result(f"{photos - failed} of {photos} photos were inspected.")
    return _exit_code(failed)


def _exit_code(failed: int) -> int:
    if failed:
        print_note("Some jobs failed: see 'safelight jobs' and the server's log.")
    return 1 if failed else 0


def _wait(client: "Client", task: str, photos: int, failed_before: int) -> int:
    """Wait until no job of the task is left, and return how many failed meanwhile."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    from safelight.client.progress import make_progress

    if not photos:
        return 0
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with make_progress(*columns) as progress:
        bar = progress.add_task("photos", total=photos)
        while True:
            found = client.job_progress(task)
            progress.update(bar, completed=photos - min(found.left, photos))
            if not found.left:
                return max(found.failed - failed_before, 0)
            time.sleep(_POLL_SECONDS)
