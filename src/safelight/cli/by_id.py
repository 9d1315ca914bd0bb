"""Run an action for each id that a command is given."""

from collections.abc import Callable, Sequence
from typing import Final

from safelight.cli.options import usage_error
from safelight.errors import NotFound
from safelight.terminal import print_note, print_result

_MAX_DIGITS: Final = 19
"""Of the largest number that the server stores."""


def check_ids(ids: Sequence[str]) -> None:
    """Raise a usage error if one of them can't be the number of a photo."""
    for id_ in ids:
        if not (id_.isascii() and id_.isdecimal() and len(id_) <= _MAX_DIGITS):
            raise usage_error(f"{id_!r} is not a photo's number, as in 'safelight ls'.")


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
