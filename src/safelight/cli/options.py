"""Help and validation that several commands share."""

from typing import Annotated, Final

from cyclopts import CycloptsError, Parameter

PhotoID = Annotated[str, Parameter(name="ID", help="The photo's number, as in `safelight ls`.")]
_MAX_JOBS: Final = 64


def option(text: str) -> Parameter:
    """Return an option's help text, without its default."""
    return Parameter(help=text, show_default=False)


def usage_error(message: str) -> CycloptsError:
    """Return the error for an invalid command line, which ends the program with code 2."""
    return CycloptsError(msg=message)


def _check_jobs(_kind: object, value: int) -> None:
    if not 1 <= value <= _MAX_JOBS:
        raise ValueError(f"It must be 1 to {_MAX_JOBS}.")


Jobs = Annotated[int, Parameter(help="Number of parallel uploads.", validator=_check_jobs)]
"""The type of ``--jobs``; its default is `DEFAULT_JOBS`."""
DEFAULT_JOBS: Final = 4
