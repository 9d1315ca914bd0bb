"""``safelight edit``: correct the capture times of photos, and rotate them."""

import re
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from safelight.cli.by_id import check_ids
from safelight.cli.options import option, usage_error
from safelight.client.settings import client_settings
from safelight.errors import NotFound
from safelight.terminal import print_note, print_result, sanitize

if TYPE_CHECKING:
    from safelight.client.api import Client

_BATCH: Final = 500
_PART: Final = r"(?:([0-9]{{1,6}}){unit})?"
_shift: Final = re.compile(
    "([+-]?)" + "".join(_PART.format(unit=unit) for unit in "dhms")
).fullmatch
_ROTATIONS: Final = (90, 180, 270)
_SECONDS: Final = (86_400, 3_600, 60, 1)


def edit(
    ids: Annotated[list[str], Parameter(name="ID", help="The photos' numbers.")],
    /,
    *,
    taken_at: Annotated[
        str | None, option("The camera's local time, e.g. 2024-05-06T07:08.")
    ] = None,
    shift: Annotated[
        str | None,
        Parameter(
            help="Correct a wrong clock: add e.g. 1h or 1d2h30m, subtract with -1h.",
            show_default=False,
            allow_leading_hyphen=True,
        ),
    ] = None,
    original_date: Annotated[bool, option("Restore the dates that the pictures have.")] = False,
    rotate: Annotated[int | None, option("Degrees clockwise: 90, 180 or 270.")] = None,
) -> int:
    """Change when photos were taken, or rotate them.

    A time may have an offset from UTC: 2024-05-06T07:08:09+02:00. The original
    dates are kept, and can be restored. If one date is impossible, none is changed.
    Prints each photo that was changed, with its new date or turn. A rotation changes
    how a photo is shown, and leaves the original as it is.

    Example: safelight edit 1 --shift -1h30m
    """
    from safelight.client.api import Client

    changes = _read_changes(taken_at, shift, rotate, original_date=original_date)
    check_ids(ids)
    missing = 0
    with Client(client_settings()) as client:
        for start in range(0, len(ids), _BATCH):
            outcome = client.edit(ids[start : start + _BATCH], **changes)
            for id_ in outcome.done:
                print_result(f"changed  {id_}  {_new_value(client, str(id_), *changes)}")
            for id_ in outcome.missing:
                print_note(f"There is no photo {id_}.")
            missing += len(outcome.missing)
    return 1 if missing else 0


def _new_value(client: "Client", id_: str, change: str) -> str:
    """Return a photo's date or turn, which the response to a change of many doesn't contain."""
    try:
        photo = client.photo(id_)
    except NotFound:  # deleted in the meantime
        return "deleted"
    if change == "rotate":
        return f"{photo['turn']}°"
    return sanitize(photo.get("taken_at") or "unknown").replace("T", " ")


def _read_changes(
    taken_at: str | None, shift: str | None, rotate: int | None, *, original_date: bool
) -> dict[str, Any]:
    """Return the body of the request. Raises a usage error."""
    given = [taken_at is not None, shift is not None, rotate is not None, original_date]
    if given.count(True) != 1:
        raise usage_error("Give one of --taken-at, --shift, --original-date and --rotate.")
    if rotate is not None:
        if rotate not in _ROTATIONS:
            raise usage_error("Photos can be rotated by 90, 180 or 270 degrees.")
        return {"rotate": rotate}
    if shift is not None:
        return {"shift_seconds": _parse_shift(shift)}
    return {"taken_at": taken_at}


def _parse_shift(text: str) -> int:
    """Return the seconds of a duration such as ``-1d2h``. Raises a usage error."""
    match = _shift(text)
    if not match or not any(match.groups()[1:]):
        raise usage_error(f"The shift {text!r} is not valid. Write it like 1h, -30m or +1d2h30m5s.")
    seconds = sum(
        int(number or 0) * unit for number, unit in zip(match.groups()[1:], _SECONDS, strict=True)
    )
    return -seconds if match[1] == "-" else seconds
