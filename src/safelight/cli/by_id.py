"""Run an action for each id that a command is given."""

from collections.abc import Callable, Sequence

from safelight.errors import NotFound
from safelight.terminal import print_note, print_result


def run_for_ids(
    ids: Sequence[str], action: Callable[[str], object], *, noun: str, done: str
) -> int:
    """Run `action` for each id and print the result; return 1 if any doesn't exist, otherwise 0.

    `noun` is what the ids are of, and `done` the word for an action that succeeded.
    """
    missing = 0
    for id_ in ids:
        try:
            action(id_)
        except NotFound:
            print_note(f"There is no {noun} {id_}.")
            missing += 1
        else:
            print_result(f"{done}  {id_}")
    return 1 if missing else 0
