"""``safelight upload``: files that are named, each streamed from where it lies."""

import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import chain
from pathlib import Path

from safelight.cli.client import Client
from safelight.cli.client_settings import ClientSettings
from safelight.cli.delivery import Door, Ways
from safelight.cli.outcome import Outcome, failed
from safelight.cli.picture import Picture, in_utf8, looked_at
from safelight.cli.progress import progress
from safelight.cli.sending import Sending, Told
from safelight.cli.store import Store
from safelight.cli.terminal import complain, say
from safelight.photo import Caption


def upload(  # noqa: PLR0913  a command has its options
    settings: ClientSettings,
    files: Sequence[Path],
    *,
    title: str = "",
    description: str = "",
    jobs: int,
    as_json: bool = False,
) -> int:
    """Upload the files and tell what became of each, in their order; gives the exit code."""
    outcomes: list[Outcome] = []
    pictures, refused = looked_at(files)
    with under_way(settings, pictures, jobs=jobs, title=title, description=description) as sent:
        unfit = [(place, failed(files[place], error)) for place, error in refused]
        for outcome in _in_order(chain(unfit, sent)):
            outcomes.append(outcome)
            if not as_json:
                outcome.tell()
    if as_json:
        say(json.dumps([outcome.as_json() for outcome in outcomes], indent=2))
    left = sum(not outcome.is_done for outcome in outcomes)
    if left and len(files) > 1:
        complain(f"{left} of {len(files)} files failed.")
    return 1 if left else 0


@contextmanager
def under_way(
    settings: ClientSettings,
    pictures: Sequence[Picture],
    *,
    jobs: int,
    title: str = "",
    description: str = "",
) -> Iterator[Iterator[Told]]:
    """Send pictures, with a bar, while the context lasts; gives what becomes of each."""
    with ExitStack() as stack:
        ways = Ways(
            client=stack.enter_context(Client(settings)),
            store=stack.enter_context(closing(Store())),
            door=Door(complain),
            stop=threading.Event(),
            answered=threading.Event(),
            caption=Caption(title=in_utf8(title), description=in_utf8(description)),
        )
        total = sum(picture.size for picture in pictures)
        bar = stack.enter_context(progress(total, len(pictures)))
        sending = Sending(ways, bar, jobs=jobs)
        yield stack.enter_context(closing(sending.outcomes(pictures)))


def _in_order(coming: Iterable[Told]) -> Iterator[Outcome]:
    """Give what comes in any order in that of its places, as soon as that can be."""
    early: dict[int, Outcome] = {}
    next_place = 0
    for place, outcome in coming:
        early[place] = outcome
        while next_place in early:
            yield early.pop(next_place)
            next_place += 1
