"""``safelight reconcile``: compare the database rows of a running server with its bucket."""

import re
from typing import Annotated, Any, Final

from cyclopts import Parameter

from safelight.cli.options import option, usage_error
from safelight.client.settings import client_settings
from safelight.terminal import print_note, print_result, sanitize

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600}
_DURATION: Final = re.compile(r"([0-9]{1,7})([smhd]?)")
_COLUMNS: Final = ("kind", "key", "photo", "size", "mended", "detail")
_DATA_LOSS: Final = ("lost", "damaged")


def reconcile(
    *,
    apply: Annotated[bool, option("Repair what can be repaired. Default: change nothing.")] = False,
    verify: Annotated[bool, option("Read every original and check its SHA-256.")] = False,
    grace: Annotated[
        str, Parameter(help="Skip anything younger, e.g. 90s, 30m, 36h or 2d.")
    ] = "1d",
    undo: Annotated[bool, option("List quarantined objects; --apply restores them.")] = False,
    json: Annotated[bool, option("Print results as a JSON object.")] = False,
) -> int:
    """Compare a running server's database with its bucket.

    Prints a line per difference, with tabs between kind, key, photo number,
    bytes, whether it was repaired, and details. Orphaned objects stay in
    quarantine for 7 days before they are deleted.

    Example: safelight reconcile --apply
    """
    from json import dumps

    from rich.progress import SpinnerColumn, TextColumn

    from safelight.client.api import Client
    from safelight.client.progress import make_progress

    options = {"apply": apply, "verify": verify, "undo": undo}
    query = {name: str(value).lower() for name, value in options.items()}
    query["grace"] = str(_parse_duration(grace))
    tally: dict[str, Any] = {}
    opening = '{"findings": [\n  '
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Client(client_settings()) as client, make_progress(*columns) as progress:
        task = progress.add_task("comparing")
        for message in client.reconcile(query):
            if message.get("tally"):
                tally = message["tally"]
                progress.update(task, description=sanitize(_describe_progress(tally)))
            elif finding := message.get("finding"):
                line = f"{opening}{dumps(finding)}" if json else _format_row(finding)
                print_result(line)
                opening = ", "
    if json:
        begin = opening if opening[0] == "{" else ""
        print_result(f'{begin}], "tally": {dumps(tally)}}}')
    print_note(_summarize(tally, applied=apply))
    return 1 if any(tally.get("found", {}).get(kind) for kind in _DATA_LOSS) else 0


def _parse_duration(text: str) -> int:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise usage_error("--grace must be a number with s, m, h or d, like 36h.")
    return int(found[1]) * _UNITS[found[2] or "s"]


def _format_row(finding: dict[str, Any]) -> str:
    cells = finding | {"mended": "yes" if finding.get("mended") else "no"}
    return "\t".join(sanitize("" if cells.get(key) is None else cells[key]) for key in _COLUMNS)


def _describe_progress(tally: dict[str, Any]) -> str:
    read = f", {tally['bytes'] / 1e6:.0f} MB read" if tally.get("bytes") else ""
    return f"{tally['rows']} rows, {tally['objects']} objects{read}"


def _summarize(tally: dict[str, Any], *, applied: bool) -> str:
    found: dict[str, int] = tally.get("found", {})
    rows, objects = (_count(tally.get(f"{noun}s", 0), noun) for noun in ("row", "object"))
    checked = f"Checked {rows} and {objects}"
    if not found:
        return f"{checked}: no differences."
    differences = ", ".join(f"{count} {sanitize(kind)}" for kind, count in found.items())
    if applied:
        return f"{checked}: {differences}; {sum(tally.get('mended', {}).values())} repaired."
    return f"{checked}: {differences}. Nothing was changed; --apply repairs what can be repaired."


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
