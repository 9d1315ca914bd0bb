"""``safelight rm``: photos deleted, and their links with them."""

import sys

from safelight.cli.client import Client
from safelight.cli.client_settings import ClientSettings
from safelight.cli.terminal import complain, plain, say
from safelight.errors import NotFound, OperatorError


def remove(settings: ClientSettings, ids: list[str], *, yes: bool) -> int:
    """Delete the photos, once somebody has agreed; gives the exit code."""
    if not yes and not _is_agreed(ids):
        complain("Nothing was deleted.")
        return 1
    missing = 0
    with Client(settings) as client:
        for id_ in ids:
            try:
                client.delete(id_)
            except NotFound:
                complain(f"There is no photo {id_}.")
                missing += 1
            else:
                say(f"deleted  {id_}")
    return 1 if missing else 0


def _is_agreed(ids: list[str]) -> bool:
    """Ask on the terminal. Raises OperatorError where there is none to be asked at."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise OperatorError("Nobody can be asked here: give --yes to delete without a question.")
    what = f"photo {ids[0]}" if len(ids) == 1 else f"{len(ids)} photos ({', '.join(ids)})"
    question = f"Delete {plain(what)}, and all links to it? [y/N] "
    print(question, end="", file=sys.stderr, flush=True)  # noqa: T201  the command line's own voice
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
